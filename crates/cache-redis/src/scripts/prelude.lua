-- What every script of the protocol needs. The layout of the header is that of cache-engine/src/frame.rs; the decisions are
-- those of cache-engine/src/protocol.rs, and one model runs both.
local NOBODY = '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
local NO_FLOOR = '\0\0\0\0'
local ZERO = '\0\0\0\0\0\0\0\0'

-- Kind, version, token and floor of what lies under a key; nothing for nothing and for garbage; 'newer' alone for a newer format.
-- As values and not in a table, which every fill would pay for.
local function header_of(key)
  local bytes = redis.call('GETRANGE', key, 0, 63)
  if #bytes < 64 or string.sub(bytes, 1, 2) ~= 'qF' then return end
  local format, kind, version, token, floor = struct.unpack('>Bc1c8c16I4', bytes, 3)
  if format ~= 1 then return 'newer' end
  if kind ~= 'V' and kind ~= 'T' and kind ~= 'N' and kind ~= 'L' then return end
  return kind, version, token, floor
end

-- Versions are eight big-endian bytes, compared in halves: a Lua number holds 53 bits, and comparing strings asks the locale.
local function older(one, other)
  local one_high, one_low = struct.unpack('>I4I4', one)
  local other_high, other_low = struct.unpack('>I4I4', other)
  if one_high ~= other_high then return one_high < other_high end
  return one_low < other_low
end

-- Takes the lease fields off the frame under a key.
local function unmark(key)
  redis.call('SETRANGE', key, 12, NOBODY .. NO_FLOOR)
end
