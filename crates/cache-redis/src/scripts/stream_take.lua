-- Gives entries to one reader of a group: what others have left lying, then new ones. ARGV: group, reader, milliseconds after
-- which an entry counts as left lying, how many. Answers place, payload for each.
local flat, limit = {}, tonumber(ARGV[4])
-- A group on a stream that is not there would make one without an end.
if redis.call('EXISTS', KEYS[1]) == 0 then return flat end

local function give(entries)
  for _, entry in ipairs(entries) do
    -- Of an entry that was trimmed meanwhile older servers answer the place alone.
    if entry and entry[2] then
      flat[#flat + 1] = entry[1]
      flat[#flat + 1] = entry[2][2]
    end
  end
end

local claimed = redis.pcall('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], '0-0', 'COUNT', limit)
if claimed.err then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0')
else
  give(claimed[2])
end
local left = limit - #flat / 2
if left > 0 then
  local new = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', left, 'STREAMS', KEYS[1], '>')
  if new then give(new[1][2]) end
end
return flat
