import torch

from napari_simpleclick.training.losses import normalized_focal_loss, soft_jaccard_loss


def test_loss_is_the_published_one():
    t = torch.arange(40)
    logits = (4 * torch.sin(t.double())).float().view(2, 1, 4, 5)
    target = (t % 3 == 0).float().view(2, 1, 4, 5)
    target[0, 0, 0, 1] = target[1, 0, 3, 3] = -1
    expected = {0.5: (1.3666835, 1.5041442), 0.25: (1.6823862, 1.4989657)}
    for alpha, values in expected.items():
        loss = normalized_focal_loss(logits, target, alpha)
        torch.testing.assert_close(loss, torch.tensor(values), atol=1e-5, rtol=1e-5)


def test_ignored_pixels_have_no_gradient():
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    target = torch.tensor([[[[1.0, 0.0], [-1.0, 0.0]]]])
    torch.autograd.backward(normalized_focal_loss(logits, target).sum())
    assert logits.grad[0, 0, 1, 0] == 0
    assert (logits.grad != 0).sum() == 3


def test_soft_jaccard_loss_is_one_minus_the_iou_of_sure_answers():
    target = torch.zeros(2, 1, 8, 8)
    target[:, :, :, :4] = 1
    answer = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    answer[0, :, :, 2:6] = answer[1, :, :, :4] = True
    loss = soft_jaccard_loss(torch.where(answer, 100.0, -100.0), target)
    torch.testing.assert_close(loss, torch.tensor([1 - 17 / 49, 0.0]))


def test_soft_jaccard_loss_sharpens_probabilities():
    loss = soft_jaccard_loss(torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2))
    inside = 4 * torch.tensor([2.0]).sigmoid()
    torch.testing.assert_close(loss, 1 - (inside + 1) / (4 + 1))


def test_soft_jaccard_loss_ignores_pixels():
    target = torch.ones(1, 1, 2, 2)
    target[..., 1] = -1
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    torch.autograd.backward(soft_jaccard_loss(logits, target).sum())
    assert (logits.grad[..., 1] == 0).all()
    assert (logits.grad[..., 0] < 0).all()
