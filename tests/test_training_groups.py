"""Groups of training pictures, by k-means on their latents."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from fixative.errors import SettingError
from fixative.training.mixture_set import kmeans_centroids
from fixative.training.perturbations import filled


class TestGroups:
    def test_are_found_where_they_are(self) -> None:
        centres = torch.tensor([-5.0, 0.0, 5.0])
        points = centres.repeat(4)[:, None, None, None] + 0.1 * torch.randn(12, 2, 3, 3)
        found = kmeans_centroids(points, 3, seed=0)
        assert found.shape == (3, 2, 3, 3)
        assert sorted(found.mean((1, 2, 3)).tolist()) == pytest.approx([-5, 0, 5], abs=0.1)

    def test_are_as_tight_as_an_independent_implementation_makes_them(self) -> None:
        sklearn = pytest.importorskip("sklearn.cluster", reason="scikit-learn is not installed")
        points = torch.randn(60, 3, 4, 4, generator=torch.Generator().manual_seed(1))

        def spread(centres: Tensor) -> float:
            gaps = torch.cdist(points.flatten(1), centres.flatten(1))
            return float(gaps.min(1).values.square().sum())

        theirs = sklearn.KMeans(4, n_init=10, random_state=0).fit(points.flatten(1).numpy())
        centres = torch.from_numpy(theirs.cluster_centers_)
        assert spread(kmeans_centroids(points, 4, seed=0)) < 1.02 * spread(centres)

    def test_of_equal_pictures_are_one(self) -> None:
        points = torch.randn(1, 2, 3, 3).expand(6, -1, -1, -1)
        found = kmeans_centroids(points, 4, seed=0)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found, points[:4])

    def test_say_what_to_install_where_scipy_is_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "scipy.cluster.vq", None)  # what Python does for "absent"
        with pytest.raises(SettingError, match="pip install scipy"):
            kmeans_centroids(torch.randn(4, 2, 3, 3), 2, seed=0)

    def test_without_pictures_get_the_mean_of_their_target(self) -> None:
        group = torch.zeros(2, 3, 3, 4, 4)
        group[0, 0], group[0, 1] = 1.0, 3.0
        whole = filled(group)
        assert whole[0].mean((1, 2, 3)).tolist() == [1, 3, 2]
        assert whole[1].abs().max() == 0
