-- Takes units from all limits or from none, at the moment `now`. The arithmetic is that of cache-engine/src/counting.rs: whole
-- numbers whose products stay below 2^53, so that doubles are exact. A shadow counts for itself and keeps nobody out.
-- ARGV: for each key: algorithm, limit, window in microseconds, cost, 1 for a shadow.
-- Answers for each key: 1 or 0 whether it lets the request pass, units left, microseconds until a retry, until all are back.
local FIELDS = 5
-- A count outlives what it says by this: the server's own expiry never ends a window.
local GRACE_MS = 1000

local function remembered(key)
  local one, two, three = string.match(redis.call('GET', key) or '', '(%d*):?(%d*):?(%d*)')
  return tonumber(one), tonumber(two), tonumber(three)
end

local function text(one, two, three)
  if three then return string.format('%.0f:%.0f:%.0f', one, two, three) end
  return string.format('%.0f:%.0f', one, two)
end

local function ceil_of(units, limit) return math.ceil(units / limit) end

local count = {}

function count.fixed(key, limit, window, cost)
  local taken, ends = remembered(key)
  if not ends or ends <= now then taken, ends = 0, now + window end
  if ends > now + window then ends = now + window end
  local allowed = taken + cost <= limit
  if allowed then taken = taken + cost end
  local left = ends - now
  return allowed, limit - taken, left, left, text(taken, ends), left
end

local function sliding_wait(previous, taken, limit, window, cost, elapsed)
  if taken + cost <= limit then
    local may_weigh = math.floor((limit - taken - cost) * window / math.max(1, previous))
    return math.max(0, window - elapsed - may_weigh)
  end
  if cost > limit then return 2 * window - elapsed end
  return 2 * window - elapsed - math.min(window, math.floor((limit - cost) * window / math.max(1, taken)))
end

function count.sliding(key, limit, window, cost)
  local previous, taken, began = remembered(key)
  if not began or began + 2 * window <= now then previous, taken, began = 0, 0, now end
  if began > now then began = now end
  if now >= began + window then previous, taken, began = taken, 0, began + window end
  local elapsed = now - began
  local fading = previous * (window - elapsed)
  local allowed = fading + (taken + cost) * window <= limit * window
  local wait = allowed and 0 or sliding_wait(previous, taken, limit, window, cost, elapsed)
  if allowed then taken = taken + cost end
  local left = math.max(0, math.floor((limit * window - fading - taken * window) / window))
  local reset = 2 * window - elapsed
  if taken == 0 then reset = previous > 0 and window - elapsed or 0 end
  return allowed, left, wait, reset, text(previous, taken, began), 2 * window - elapsed
end

function count.token(key, limit, window, cost)
  local full, wanted = limit * window, cost * window
  local level, at = remembered(key)
  if at then
    level = math.min(full, level + math.max(0, math.min(now - at, window)) * limit)
  else
    level = full
  end
  local allowed = wanted <= level
  local after = allowed and level - wanted or level
  local reset = ceil_of(full - after, limit)
  return allowed, math.floor(after / window), ceil_of(wanted - level, limit), reset, text(after, now), reset
end

function count.leaky(key, limit, window, cost)
  local full, backlog = limit * window, 0
  local at, part = remembered(key)
  if at and at + math.min(part, 1) > now then
    backlog = math.min(full, math.max(0, math.min(at - now, window)) * limit + part)
  end
  local wanted = backlog + cost * window
  local allowed = wanted <= full
  local after = allowed and wanted or backlog
  local reset = ceil_of(after, limit)
  local empty_at, left = now + math.floor(after / limit), math.floor((full - after) / window)
  return allowed, left, ceil_of(wanted - full, limit), reset, text(empty_at, after % limit), reset
end

local answers, writes, passes = {}, {}, true
for i, key in ipairs(KEYS) do
  local at = (i - 1) * FIELDS
  local limit, window, cost = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local shadow = ARGV[at + 5] == '1'
  local allowed, left, wait, reset, state, life = count[ARGV[at + 1]](key, limit, window, cost)
  answers[#answers + 1] = allowed and 1 or 0
  answers[#answers + 1] = left
  answers[#answers + 1] = allowed and 0 or wait
  answers[#answers + 1] = reset
  if allowed then writes[#writes + 1] = {key, state, math.ceil(life / 1000) + GRACE_MS} end
  passes = passes and (allowed or shadow)
end
if passes then
  for _, write in ipairs(writes) do redis.call('SET', write[1], write[2], 'PX', write[3]) end
end
return answers
