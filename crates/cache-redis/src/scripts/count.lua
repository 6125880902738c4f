-- Takes units from all limits or from none, by this server's clock. The arithmetic is that of cache-engine/src/counting.rs.
-- ARGV: for each key: algorithm ('w' window, 'g' generic cell rate), limit, window in microseconds, cost.
-- Answers for each key: 1 or 0 whether it lets the request pass, units left, microseconds until a retry, until all are back.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answers, writes, all = {}, {}, true

local function window(key, limit, window_us, cost)
  local taken, left_us = 0, window_us
  local life = redis.call('PTTL', key)
  if life > 0 then
    taken, left_us = tonumber(redis.call('GET', key)) or 0, life * 1000
  end
  local allowed = taken + cost <= limit
  local after = allowed and taken + cost or taken
  local answer = {allowed and 1 or 0, math.max(0, limit - after), allowed and 0 or left_us, left_us}
  return answer, {string.format('%.0f', after), math.ceil(left_us / 1000)}
end

local function cells(key, limit, window_us, cost)
  local unit_us = math.max(1, math.floor(window_us / limit))
  local full_us = unit_us * limit
  local empty_at = tonumber(redis.call('GET', key) or 0) or 0
  if empty_at < now then empty_at = now end
  local wanted = empty_at + unit_us * cost
  local allowed = wanted - now <= full_us
  local after = allowed and wanted or empty_at
  local left = math.max(0, math.floor((full_us - (after - now)) / unit_us))
  local answer = {allowed and 1 or 0, left, allowed and 0 or wanted - now - full_us, after - now}
  return answer, {string.format('%.0f', after), math.max(1, math.ceil((after - now) / 1000))}
end

for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local count = ARGV[at + 1] == 'w' and window or cells
  local answer, write = count(key, tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
  for _, number in ipairs(answer) do answers[#answers + 1] = number end
  writes[i] = write
  all = all and answer[1] == 1
end
if all then
  for i, key in ipairs(KEYS) do redis.call('SET', key, writes[i][1], 'PX', writes[i][2]) end
end
return answers
