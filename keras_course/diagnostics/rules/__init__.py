"""What observations mean. A rule maps an `Observation` to findings; it knows nothing of other rules.

A rule reports the mechanism it has evidence for. Whether it did harm, and which finding explains which, is for
`keras_course.diagnostics.doctor` to say: a finding that is not `certain` is named only where there is harm.
"""
