import torch

from napari_simpleclick.networks import draw_disks


def test_disk_of_a_whole_pixel_click():
    points = torch.tensor([[[10.0, 10.0], [-1.0, -1.0]]])
    disk = draw_disks(points, (32, 32))[0, 0]
    assert disk.sum() == 81
    assert disk[10].nonzero().flatten().tolist() == list(range(5, 16))
    assert disk[5].nonzero().flatten().tolist() == [10]


def test_fractional_and_partly_negative_clicks_are_drawn():
    padding = (-1.0, -1.0)
    points = torch.tensor([[padding, padding, (-2.3, 12.5), (40.49, 3.51)]])
    positive, negative = draw_disks(points, (32, 32))[0]
    assert positive.sum() == 0
    assert negative.sum() == 22
    assert negative.any(dim=1).nonzero().flatten().tolist() == [0, 1, 2]
    assert negative[0].nonzero().flatten().tolist() == list(range(9, 17))
