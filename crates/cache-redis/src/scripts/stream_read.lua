-- Entries after a place. ARGV: place, how many. Answers place, payload for each.
local flat = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
  flat[#flat + 1] = entry[1]
  flat[#flat + 1] = entry[2][2]
end
return flat
