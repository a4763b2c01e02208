from keras_course.diagnostics.observation import Finding


def test_findings_stand_by_confidence_and_what_a_trial_did_not_confirm_behind_unless_it_is_certain():
    sure = Finding(cause="label_encoding", confidence=0.6, confirmed=False, certain=True)
    weak, strong = Finding(cause="data_sorted", confidence=0.5), Finding(cause="init_scale", confidence=0.7)
    tried = Finding(cause="dead_units", confidence=0.9, confirmed=False)
    assert sorted([tried, weak, sure, strong], key=lambda f: f.rank) == [strong, sure, weak, tried]
