-- Gives a lease back unused. ARGV: token.
local header = header_of(KEYS[1])
if not header or header.token ~= ARGV[1] then return 0 end
if header.kind == 'L' then redis.call('DEL', KEYS[1]) else unmark(KEYS[1]) end
return 1
