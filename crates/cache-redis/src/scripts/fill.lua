-- Puts a loaded value. ARGV: token, version, frame, milliseconds. Answers 1 stored, 2 the lease is lost, 3 older than known.
local _, version, token = header_of(KEYS[1])
if token ~= ARGV[1] then return 2 end
if older(ARGV[2], version) then
  unmark(KEYS[1])
  return 3
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
