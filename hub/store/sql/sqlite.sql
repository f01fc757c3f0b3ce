-- The hot statements on SQLite, under the names that PostgreSQL's have, with the same values and answers. Where
-- one name has several statements they run in order, and one of them answers.

-- name: insert_events
-- Keeps new events, and owes the deliveries of those, due now or at no time while a variable is not set; of
-- events whose message id is known nothing changes. Answers with the ids of the new. Index: uq_events_message,
-- sqlite_autoindex_events_1, ix_deliveries_event.
INSERT INTO events (id, source, message_id, type, version, object_key, payload, received_at, verdicts, owed)
SELECT json_extract(value, '$.id'), json_extract(value, '$.source'), json_extract(value, '$.message_id'),
       json_extract(value, '$.type'), json_extract(value, '$.version'), json_extract(value, '$.object_key'),
       substr(:payloads, json_extract(value, '$.starts_at') + 1, json_extract(value, '$.size')),
       json_extract(value, '$.received_at'), json_extract(value, '$.verdicts'), json_extract(value, '$.owed')
FROM json_each(:events)
WHERE true
ON CONFLICT (source, message_id) DO NOTHING
RETURNING id;
INSERT INTO deliveries (
    id, event_id, event_type, route, position, destination, version, send, state, attempts, tries, due_at,
    owed_since, needs, valid_until, created_at
)
SELECT json_extract(value, '$.id'), json_extract(value, '$.event_id'), json_extract(value, '$.event_type'),
       json_extract(value, '$.route'), json_extract(value, '$.position'), json_extract(value, '$.destination'),
       json_extract(value, '$.version'), json_extract(value, '$.send'), 'pending', 0, 0,
       CASE WHEN json_extract(value, '$.needs') IS NULL THEN :now END,
       CASE WHEN json_extract(value, '$.needs') IS NULL THEN :now END, json_extract(value, '$.needs'),
       json_extract(value, '$.valid_until'), :now
FROM json_each(:deliveries)
WHERE EXISTS (SELECT 1 FROM events WHERE id = json_extract(value, '$.event_id'))
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = json_extract(value, '$.event_id'))

-- name: add_deliveries
-- Owes deliveries of events that are kept, due now or at no time while a variable is not set. Index: none.
INSERT INTO deliveries (
    id, event_id, event_type, route, position, destination, version, send, state, attempts, tries, due_at,
    owed_since, needs, valid_until, created_at
)
SELECT json_extract(value, '$.id'), json_extract(value, '$.event_id'), json_extract(value, '$.event_type'),
       json_extract(value, '$.route'), json_extract(value, '$.position'), json_extract(value, '$.destination'),
       json_extract(value, '$.version'), json_extract(value, '$.send'), 'pending', 0, 0,
       CASE WHEN json_extract(value, '$.needs') IS NULL THEN :now END,
       CASE WHEN json_extract(value, '$.needs') IS NULL THEN :now END, json_extract(value, '$.needs'),
       json_extract(value, '$.valid_until'), :now
FROM json_each(:deliveries)

-- name: event_before
-- Reads the newest event about an object that a source sent before another event, and whose payload is kept.
-- Index: ix_events_object.
SELECT id, message_id, type, payload, received_at
FROM events
WHERE object_key = :object_key AND source = :source AND id < :id AND payload IS NOT NULL
ORDER BY id DESC LIMIT 1

-- name: lock_destinations
-- Reads destinations in the order of their names, the only writer being here: those of :names, and those of
-- :due_of that something is due for. Index: ix_deliveries_due.
SELECT name, configured, available_since, paused_at, paused_reason, failures, probe_at, probes,
       throttled_until, throttled_count, rate_limited_until, failing_since, last_error, last_answer
FROM destinations
WHERE name IN (SELECT value FROM json_each(:names))
   OR name IN (SELECT value FROM json_each(:due_of))
      AND (SELECT min(due_at) FROM deliveries WHERE state = 'pending' AND destination = name) <= :now
ORDER BY name

-- name: lock_claims
-- Tells under which token each of the deliveries that are being sent is. Index: sqlite_autoindex_deliveries_1.
SELECT id, token
FROM deliveries
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'sending'
ORDER BY id

-- name: count_waiting
-- Counts, for each destination that has a row, what is due (up to 100) and what all workers send, and finds
-- the next moment when something falls due. Index: ix_deliveries_due, ix_deliveries_sending.
SELECT name,
       (SELECT count(*) FROM (
           SELECT 1 FROM deliveries
           WHERE state = 'pending' AND destination = name AND due_at <= :now ORDER BY due_at LIMIT 100
       )),
       (SELECT min(due_at) FROM deliveries WHERE state = 'pending' AND destination = name AND due_at > :now),
       (SELECT count(*) FROM deliveries WHERE state = 'sending' AND destination = name)
FROM destinations
WHERE name IN (SELECT value FROM json_each(:names))

-- name: claim
-- Claims what is due of one destination, each as an attempt that begins now: :first_count of those never
-- tried, the rest of those that were, and where one kind is too few the longest due of the other.
-- Index: ix_deliveries_first, ix_deliveries_retry, ix_deliveries_due, ix_deliveries_sending.
UPDATE deliveries
SET state = 'sending', token = :token, lease_until = :lease_until, attempts = attempts + 1, tries = tries + 1
WHERE id IN (
    SELECT id FROM (
        SELECT * FROM (
            SELECT id, due_at, 0 AS turn FROM deliveries
            WHERE state = 'pending' AND tries = 0 AND destination = :destination AND due_at <= :now
            ORDER BY due_at LIMIT :first_count
        )
        UNION ALL
        SELECT * FROM (
            SELECT id, due_at, 0 AS turn FROM deliveries
            WHERE state = 'pending' AND tries > 0 AND destination = :destination AND due_at <= :now
            ORDER BY due_at LIMIT :count - :first_count
        )
        UNION ALL
        SELECT * FROM (
            SELECT id, due_at, 1 AS turn FROM deliveries
            WHERE state = 'pending' AND destination = :destination AND due_at <= :now
            ORDER BY due_at LIMIT :count
        )
    )
    GROUP BY id ORDER BY min(turn), due_at LIMIT :count
);
INSERT INTO attempts (delivery_id, number, destination, at)
SELECT id, attempts, destination, :now
FROM deliveries WHERE state = 'sending' AND destination = :destination AND token = :token;
SELECT deliveries.id, token, route, deliveries.version, send, attempts, tries, message, rendering, degraded,
       accepted, valid_until, events.id, source, message_id, type, payload, received_at
FROM deliveries CROSS JOIN events
WHERE state = 'sending' AND destination = :destination AND token = :token AND events.id = event_id
ORDER BY due_at, deliveries.id

-- name: settle
-- Writes what became of deliveries; where the message or the due time is empty it stays. One that waits for
-- what it needs is due at no time; one that was sent and has no message will be rendered anew.
-- Index: sqlite_autoindex_deliveries_1.
UPDATE deliveries
SET state = json_extract(value, '$.state'), reason = json_extract(value, '$.reason'),
    due_at = CASE WHEN json_extract(value, '$.needs') IS NULL
             THEN COALESCE(json_extract(value, '$.due_at'), due_at) END,
    owed_since = CASE WHEN json_extract(value, '$.needs') IS NULL THEN owed_since END,
    needs = json_extract(value, '$.needs'),
    attempts = json_extract(value, '$.attempts'), tries = json_extract(value, '$.tries'),
    accepted = json_extract(value, '$.accepted'),
    message = COALESCE(json_extract(value, '$.message'), message),
    rendering = json_extract(value, '$.rendering')
                + (json_extract(value, '$.began') AND COALESCE(json_extract(value, '$.message'), message) IS NULL),
    degraded = COALESCE(json_extract(value, '$.degraded'), degraded),
    delivered_at = json_extract(value, '$.delivered_at'), finished_at = json_extract(value, '$.finished_at'),
    token = NULL, lease_until = NULL
FROM json_each(:rows)
WHERE deliveries.id = json_extract(value, '$.id')

-- name: close_attempts
-- Writes what came of attempts. Index: sqlite_autoindex_attempts_1.
UPDATE attempts
SET seconds = json_extract(value, '$.seconds'), outcome = json_extract(value, '$.outcome'),
    status = json_extract(value, '$.status'), detail = json_extract(value, '$.detail'),
    answer = json_extract(value, '$.answer')
FROM json_each(:rows)
WHERE delivery_id = json_extract(value, '$.delivery_id') AND number = json_extract(value, '$.number')

-- name: remove_attempts
-- Removes attempts that never began. Index: sqlite_autoindex_attempts_1.
DELETE FROM attempts
WHERE (delivery_id, number) IN (
    SELECT json_extract(value, '$.delivery_id'), json_extract(value, '$.number') FROM json_each(:rows)
)

-- name: save_destinations
-- Keeps the states of destinations; what has no row gets one. Index: sqlite_autoindex_destinations_1.
INSERT INTO destinations (
    name, configured, available_since, paused_at, paused_reason, failures, probe_at, probes,
    throttled_until, throttled_count, rate_limited_until, failing_since, last_error, last_answer
)
SELECT json_extract(value, '$.name'), json_extract(value, '$.configured'),
       json_extract(value, '$.available_since'), json_extract(value, '$.paused_at'),
       json_extract(value, '$.paused_reason'), json_extract(value, '$.failures'),
       json_extract(value, '$.probe_at'), json_extract(value, '$.probes'),
       json_extract(value, '$.throttled_until'), json_extract(value, '$.throttled_count'),
       json_extract(value, '$.rate_limited_until'), json_extract(value, '$.failing_since'),
       json_extract(value, '$.last_error'), json_extract(value, '$.last_answer')
FROM json_each(:rows)
WHERE true
ON CONFLICT (name) DO UPDATE
SET configured = excluded.configured, available_since = excluded.available_since,
    paused_at = excluded.paused_at, paused_reason = excluded.paused_reason, failures = excluded.failures,
    probe_at = excluded.probe_at, probes = excluded.probes, throttled_until = excluded.throttled_until,
    throttled_count = excluded.throttled_count, rate_limited_until = excluded.rate_limited_until,
    failing_since = excluded.failing_since, last_error = excluded.last_error, last_answer = excluded.last_answer

-- name: add_audit_subjects
-- Lets an entry of the audit be found by those that an act on many was done to. Index: audit_subjects_pkey.
INSERT INTO audit_subjects (subject, audit_id)
SELECT value, :audit_id FROM json_each(:subjects) WHERE true
ON CONFLICT DO NOTHING
