-- Takes what nobody has taken from one share. Answers units taken, all units.
local share = redis.call('HMGET', KEYS[1], 'p', 't')
local pending = tonumber(share[1]) or 0
if pending > 0 then redis.call('HSET', KEYS[1], 'p', 0) end
return {pending, tonumber(share[2]) or 0}
