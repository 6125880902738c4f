-- Gives a lease back unused. ARGV: token.
local kind, _, token = header_of(KEYS[1])
if token ~= ARGV[1] then return 0 end
if kind == 'L' then redis.call('DEL', KEYS[1]) else unmark(KEYS[1]) end
return 1
