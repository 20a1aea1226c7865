// When two texts are numbers: the one rule by which a tolerance is exact. Nothing is ever rounded to fit.

// A text as a decimal where that is exact: up to 19 digits before the point and 18 after, an exponent where its
// value still fits. Else NULL, and the pair is compared as text. Two such numbers can be subtracted without overflow.
export const exactDecimal = `CREATE MACRO exact(v) AS CASE
  WHEN regexp_full_match(v, '\\s*[+-]?(\\d{1,19}(\\.\\d{0,18})?|\\.\\d{1,18})\\s*') THEN TRY_CAST(v AS DECIMAL(38, 18))
  WHEN regexp_full_match(v, '[+-]?\\d{1,19}(\\.\\d{0,18})?[eE][+-]?\\d{1,2}')
   AND length(regexp_extract(v, '\\.(\\d*)', 1)) - CAST(regexp_extract(v, '[eE](.*)', 1) AS INTEGER) <= 18
   AND length(regexp_extract(v, '(\\d+)', 1)) + CAST(regexp_extract(v, '[eE](.*)', 1) AS INTEGER) <= 19
  THEN TRY_CAST(v AS DECIMAL(38, 18)) END`;
