from keras_course.training.history import History


def test_a_history_is_a_dictionary_of_curves():
    history = History()
    history.add({"loss": 2.0, "val_loss": 3.0})
    history.add({"loss": 1.0, "val_loss": 4.0})
    assert history == {"loss": [2.0, 1.0], "val_loss": [3.0, 4.0]}


def test_what_a_history_says_of_itself_makes_it_again():
    history = History({"loss": [1.0]}, steps=7, seconds=0.5, compile_seconds=2.0, best_epoch=0, stopped_early=True)
    again = History(dict(history), **vars(history))
    assert again == history
    assert vars(again) == vars(history)
