-- Decides about up to four buckets at once: all are charged, or none.
-- KEYS[i]: a bucket; ARGV[3i-2]: microseconds of one call, ARGV[3i-1]: burst,
-- ARGV[3i]: calls to take (1) or to give back (-1).
-- Answers now, 1 or 0 (allowed), and for each bucket 1 or 0 (exceeded) and its arrival time.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local allowed = 1
local buckets = {}
for i, key in ipairs(KEYS) do
  local interval, burst, calls = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local furthest = now + interval * burst
  -- Never further than a full bucket: a lowered limit or a clock set back does not lock anybody out.
  local arrival = math.max(now, math.min(tonumber(redis.call('GET', key)) or now, furthest))
  local after = math.max(now, arrival + calls * interval)
  local exceeded = after > furthest
  if exceeded then allowed = 0 end
  buckets[i] = { arrival, after, exceeded }
end
local answer = { now, allowed }
for i, key in ipairs(KEYS) do
  local arrival, after, exceeded = unpack(buckets[i])
  if allowed == 1 then
    arrival = after
    -- Kept a little longer than it matters. %.0f: the default form loses digits.
    redis.call('SET', key, string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000) + 5000)
  end
  answer[2 * i + 1] = exceeded and 1 or 0
  answer[2 * i + 2] = arrival
end
return answer
