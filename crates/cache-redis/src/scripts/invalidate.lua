-- Makes older values unacceptable. ARGV: least acceptable version, tombstone frame, milliseconds.
-- Answers 1 tombstoned, 2 what is there is not older.
local kind, version = header_of(KEYS[1])
if (kind == 'V' or kind == 'T') and not older(version, ARGV[1]) then return 2 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
