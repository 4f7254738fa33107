from qtpy.QtCore import Qt


def press_undo(hand):
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_undo_whichever_layer_is_active(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    hand.wait(1)
    for layer in (
        hand.canvas.image,
        hand.canvas.mask,
        *hand.canvas.points.values(),
        hand.viewer.add_points([(0, 5, 5)], name="other"),
        None,
    ):
        hand.viewer.layers.selection.active = layer
        hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert not hand.canvas.mask.data.any()
        redo = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        hand.key(Qt.Key.Key_Z, redo)
        assert hand.canvas.mask.data.any()
