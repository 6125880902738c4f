-- Asks to be the one who loads. ARGV: token, milliseconds, lease frame, version that may be leased over ('' for none).
-- Answers {1, least acceptable version} granted, {2} held by another, {3} there is something to read.
local kind, version, token, floor = header_of(KEYS[1])
if kind == 'newer' then return {3} end
if not kind then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
  return {1, ZERO}
end
local ttl = tonumber(ARGV[2])
local life = redis.call('PTTL', KEYS[1])
if life < 0 then life = 0 end
if token ~= NOBODY and life > floor then return {2} end
local holds_answer = kind == 'V' or kind == 'N'
if holds_answer and ARGV[4] ~= version then return {3} end
if not holds_answer and life < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
floor = life - ttl
if floor < 0 then floor = 0 end
redis.call('SETRANGE', KEYS[1], 12, ARGV[1] .. struct.pack('>I4', floor))
return {1, version}
