-- Removes a frame that cannot be used, if it is still the one that was read; what a lease changes in it does not count.
-- ARGV: header.
local bytes = redis.call('GETRANGE', KEYS[1], 0, 63)
if #bytes < 64 or string.sub(bytes, 4, 4) == 'T' then return 0 end
if string.sub(bytes, 1, 12) ~= string.sub(ARGV[1], 1, 12) then return 0 end
if string.sub(bytes, 33, 64) ~= string.sub(ARGV[1], 33, 64) then return 0 end
return redis.call('DEL', KEYS[1])
