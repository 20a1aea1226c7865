// How a text is read as a number, a moment or a truth, in SQL. NULL where it is none: then its text is compared. The
// one rule by which a tolerance is exact. Nothing is ever rounded to fit.

// Up to 19 digits before the point and 18 after, an exponent where its value still fits. Two such numbers can be
// subtracted without overflow.
const exact = `CREATE MACRO exact(v) AS CASE
  WHEN regexp_full_match(v, '\\s*[+-]?(\\d{1,19}(\\.\\d{0,18})?|\\.\\d{1,18})\\s*') THEN TRY_CAST(v AS DECIMAL(38, 18))
  WHEN regexp_full_match(v, '[+-]?\\d{1,19}(\\.\\d{0,18})?[eE][+-]?\\d{1,2}')
   AND length(regexp_extract(v, '\\.(\\d*)', 1)) - CAST(regexp_extract(v, '[eE](.*)', 1) AS INTEGER) <= 18
   AND length(regexp_extract(v, '(\\d+)', 1)) + CAST(regexp_extract(v, '[eE](.*)', 1) AS INTEGER) <= 19
  THEN TRY_CAST(v AS DECIMAL(38, 18)) END`;

// The same of a text that has no exponent for sure, and of one that has no point either.
const exactPlain = `CREATE MACRO exact_plain(v) AS CASE
  WHEN regexp_full_match(v, '\\s*[+-]?(\\d{1,19}(\\.\\d{0,18})?|\\.\\d{1,18})\\s*') THEN TRY_CAST(v AS DECIMAL(38, 18)) END`;
const exactWhole = `CREATE MACRO exact_whole(v) AS CASE
  WHEN regexp_full_match(v, '\\s*[+-]?\\d{1,19}\\s*') THEN TRY_CAST(v AS DECIMAL(38, 18)) END`;

// In units of 10^-18, so that a share of it can be taken in whole numbers.
const units = `CREATE MACRO units(d) AS CAST(replace(CAST(d AS VARCHAR), '.', '') AS HUGEINT)`;

// a * k <= b * m, for a and b up to 38 digits and k and m up to 10. The products do not fit into 128 bits, so they are
// made of two halves of 19 digits with their carry.
const half = 'CAST(10000000000000000000 AS HUGEINT)';
const timesAtMost = `CREATE MACRO times_at_most(a, k, b, m) AS CASE
  WHEN (a // ${half}) * k + ((a % ${half}) * k) // ${half} <> (b // ${half}) * m + ((b % ${half}) * m) // ${half}
  THEN (a // ${half}) * k + ((a % ${half}) * k) // ${half} < (b // ${half}) * m + ((b % ${half}) * m) // ${half}
  ELSE ((a % ${half}) * k) % ${half} <= ((b % ${half}) * m) % ${half} END`;

// ISO 8601, the hour optional; with a zone it is that moment in UTC, without one it is taken as it stands.
const moment = `CREATE MACRO moment(v) AS CASE
  WHEN regexp_full_match(v, '\\s*\\d{4}-\\d{2}-\\d{2}([ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?)?\\s*')
  THEN TRY_CAST(trim(v, e' \\t\\r\\n\\f') AS TIMESTAMP)
  WHEN regexp_full_match(v, '\\s*\\d{4}-\\d{2}-\\d{2}[ T]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)? ?(Z|[+-]\\d{2}(:?\\d{2})?)\\s*')
  THEN TRY_CAST(regexp_replace(replace(trim(v, e' \\t\\r\\n\\f'), 'Z', '+00'), ' ?([+-]\\d{2}):?(\\d{2})?$', '\\1:\\2') AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END`;

const truth = `CREATE MACRO truth(v) AS CASE
  WHEN lower(trim(v)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true
  WHEN lower(trim(v)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END`;

/** Statements that make the macros; the database of a staging keeps them. */
export const readingMacros = [exact, exactPlain, exactWhole, units, timesAtMost, moment, truth];
