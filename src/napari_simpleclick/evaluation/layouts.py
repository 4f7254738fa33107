"""Layouts of data sets: which files belong together, and how they are read."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import readers
from napari_simpleclick.images.files import NIFTI, PICTURE, TIFF, stem_of, suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.case_options import CaseOptions

VOLUME_FOLDERS = (("images", "masks"), ("images", "labels"), ("imagesTr", "labelsTr"))
"""Folders of volumes and masks of equal names; the last is that of nnU-Net."""

BRAIN_WORD = re.compile(r"brain[-_]?mask", re.IGNORECASE)
LABEL_WORDS = re.compile(
    r"seg|label|(?<!brain)(?<!brain[-_])mask|multiclass|truth|gt", re.IGNORECASE
)


class Pair(NamedTuple):
    """An image and its mask, by a name of their own."""

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Layout:
    """One way to store a data set.

    Parameters
    ----------
    title : str
        Name in messages.
    globs : tuple of str
        Of images, masks, and the list of names if there is one; each must match.
    find : callable
        (root, globs, options) to pairs, in the order of the data set; no pair if the
        layout is another one.
    labels : callable
        Mask file to int32 labels, (H, W) or of three axes: objects positive, 0
        background, -1 ignored.
    image : callable
        Image file to an array of that size, with a colour axis at the end if RGB.
    expects : str
        What must be there, if ``globs`` do not say it.
    general : bool
        Whether options apply.
    with_image : bool
        Whether ``labels`` takes the image file as well, to tell how labels lie.
    """

    title: str
    globs: tuple[str, ...]
    find: Callable[[Path, tuple[str, ...], CaseOptions], list[Pair]]
    labels: Callable[..., readers.Labels]
    image: Callable[[Path], NDArray[Any]] = readers.rgb
    expects: str = ""
    general: bool = False
    with_image: bool = False

    def read_labels(self, mask: Path, image: Path) -> readers.Labels:
        """Read the labels of an image."""
        return self.labels(mask, image) if self.with_image else self.labels(mask)

    def pairs(self, root: Path, options: CaseOptions) -> list[Pair]:
        """Find the images and masks below a folder.

        Returns
        -------
        list of Pair
            At least one, each with another name.

        Raises
        ------
        UserError
            If the folder has another layout, or a file has no partner.
        """
        if not root.is_dir():
            raise UserError(f"There is no folder '{root}'; check the name.")
        fits = all(any(root.glob(pattern)) for pattern in self.globs)
        pairs = self.find(root, self.globs, options) if fits else []
        if not pairs:
            raise UserError(
                f"'{root}' does not look like {self.title}: expected "
                f"{self.expects or ' and '.join(self.globs)}, found "
                f"{_names(root.iterdir())}."
            )
        times = Counter(pair.name for pair in pairs)
        return [
            pair._replace(name=pair.name + suffix_of(pair.image))
            if times[pair.name] > 1
            else pair
            for pair in pairs
        ]


def _names(paths: Iterable[Path], most: int = 8) -> str:
    names = sorted(path.name for path in paths if not path.name.startswith("."))
    return ", ".join(names[:most] + ["..."] * (len(names) > most)) or "nothing"


def _files(root: Path, pattern: str, kinds: Sequence[str] = ()) -> list[Path]:
    """Sorted files that are not hidden, of some kinds or of any."""
    return sorted(
        path
        for path in _found(root, pattern)
        if path.is_file()
        and not path.name.startswith(".")
        and (not kinds or suffix_of(path) in kinds)
    )


def _found(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise UserError(
            f"'{pattern}' is no pattern of files; write one such as "
            "'**/*flair*.nii.gz'."
        ) from error


def _match(
    images: Sequence[Path],
    masks: Sequence[Path],
    stems: Callable[[Path], Sequence[str]] = lambda path: (stem_of(path),),
) -> list[Pair]:
    """Give each image the mask with the first possible of its stems."""
    known = {stem_of(mask): mask for mask in masks}
    pairs = []
    for image in images if masks else ():
        mask = next((known[stem] for stem in stems(image) if stem in known), None)
        if mask is None:
            expected = masks[0].parent / f"{stems(image)[-1]}.*"
            raise UserError(f"'{image}' has no mask; expected '{expected}'.")
        pairs.append(Pair(stem_of(image), image, mask))
    return pairs


def _by_first_part(root: Path, globs: tuple[str, ...], _: CaseOptions) -> list[Pair]:
    """Match the name of the image up to its first dot, as released."""
    images, masks = (_files(root, pattern) for pattern in globs)
    return _match(images, masks, lambda path: (path.name.partition(".")[0],))


def _by_stem(root: Path, globs: tuple[str, ...], _: CaseOptions) -> list[Pair]:
    images, masks = (_files(root, pattern, PICTURE + TIFF) for pattern in globs)
    return _match(images, masks)


def _by_list(root: Path, globs: tuple[str, ...], _: CaseOptions) -> list[Pair]:
    """Take the names from a list, the last of the globs."""
    *patterns, names = globs
    pairs = []
    for name in (root / names).read_text(encoding="utf-8").split():
        image, mask = (root / pattern.replace("*", name) for pattern in patterns)
        for path in (image, mask):
            if not path.is_file():
                raise UserError(f"'{root / names}' lists '{path}', which is missing.")
        pairs.append(Pair(name, image, mask))
    return pairs


def _by_sequence(root: Path, globs: tuple[str, ...], _: CaseOptions) -> list[Pair]:
    """Match ``object1_00012.png`` to ``00012.jpg`` of the same folder."""
    pairs = []
    for mask in _files(root, globs[1]):
        if "init" not in mask.name:
            image = mask.with_name(mask.stem.rpartition("_")[2] + ".jpg")
            if not image.is_file():
                raise UserError(f"'{mask}' has no image; expected '{image}'.")
            pairs.append(Pair(_stem_below(root, mask), image, mask))
    return pairs


def _volumes(root: Path, _: tuple[str, ...], options: CaseOptions) -> list[Pair]:
    if options.image or options.mask:
        return _by_globs(root, options.image, options.mask)
    for folders in VOLUME_FOLDERS:
        images, masks = (_files(root, f"{folder}/*", NIFTI) for folder in folders)
        if images and masks:
            return _match(
                images,
                masks,
                lambda path: (stem_of(path), stem_of(path).removesuffix("_0000")),
            )
    cases = _by_folder(_files(root, "**/*", NIFTI))
    return [_by_words(root, files) for files in cases.values()]


def _by_globs(root: Path, *globs: str) -> list[Pair]:
    if not all(pattern and not Path(pattern).is_absolute() for pattern in globs):
        raise UserError(
            "Volumes need two globs relative to the folder, of the images and of the "
            f"masks; got '{globs[0]}' and '{globs[1]}'."
        )
    images, masks = (_files(root, pattern, NIFTI + TIFF) for pattern in globs)
    near = _by_folder(masks)
    pairs = []
    for image in images:
        found = near.get(image.parent, [])
        if image in found:
            continue
        if len(found) != 1:
            raise UserError(
                f"'{image}' needs one mask '{globs[1]}' in its folder, found "
                f"{_names(found)}."
            )
        pairs.append(Pair(_stem_below(root, image), image, found[0]))
    if not pairs:
        raise UserError(
            f"'{root}' has no volume '{globs[0]}' that is not a mask '{globs[1]}'."
        )
    return pairs


def _by_words(root: Path, files: Sequence[Path]) -> Pair:
    """Tell the image of a case from its mask by words in their names."""
    masks = [path for path in files if LABEL_WORDS.search(path.name)]
    images = [
        path for path in files if path not in masks and not BRAIN_WORD.search(path.name)
    ]
    if len(images) > 1:
        images = [path for path in images if "flair" in path.name.lower()]
    if len(images) != 1 or len(masks) != 1:
        raise UserError(
            f"'{files[0].parent}' does not tell which file is the image and which is "
            f"the mask (found {_names(files)}); give globs, such as "
            "'**/*flair*.nii.gz' and '**/*seg*.nii.gz'."
        )
    return Pair(_stem_below(root, images[0]), images[0], masks[0])


def _by_folder(files: Sequence[Path]) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folders[path.parent].append(path)
    return folders


def _stem_below(root: Path, path: Path) -> str:
    return path.with_name(stem_of(path)).relative_to(root).as_posix()


LAYOUTS = {
    "grabcut": Layout(
        "GrabCut", ("data_GT/*.*", "boundary_GT/*.*"), _by_first_part, readers.trimap
    ),
    "berkeley": Layout(
        "Berkeley", ("images/*.*", "masks/*.*"), _by_first_part, readers.trimap
    ),
    "davis": Layout(
        "DAVIS", ("img/*.*", "gt/*.*"), _by_first_part, readers.any_channel
    ),
    "pascalvoc": Layout(
        "Pascal VOC",
        (
            "JPEGImages/*.jpg",
            "SegmentationObject/*.png",
            "ImageSets/Segmentation/val.txt",
        ),
        _by_list,
        readers.voc,
    ),
    "sbd": Layout("SBD", ("img/*.jpg", "inst/*.mat", "val.txt"), _by_list, readers.sbd),
    "coco_mval": Layout(
        "COCO_MVal", ("img/*.*", "gt/*.*"), _by_first_part, readers.any_channel
    ),
    "davis585": Layout(
        "DAVIS-585", ("*/*.jpg", "*/*.png"), _by_sequence, readers.bright
    ),
    "sstem": Layout(
        "ssTEM", ("raw/*.tif", "mitochondria/*.png"), _by_first_part, readers.components
    ),
    "brats": Layout(
        "BraTS", ("image/*.png", "annotation/*.png"), _by_first_part, readers.positive
    ),
    "oaizib": Layout(
        "OAIZIB",
        ("test/image/*.png", "test/annotations/*.png"),
        _by_first_part,
        readers.blue,
    ),
    "folder": Layout(
        "a folder of images",
        ("images/*.*", "masks/*.*"),
        _by_stem,
        readers.picture_labels,
        readers.picture,
        "PNG, JPEG or TIFF files of equal names in images and masks",
        general=True,
    ),
    "volume": Layout(
        "a folder of volumes",
        (),
        _volumes,
        readers.volume_labels,
        readers.volume,
        "NIfTI files of equal names in images and masks (or labels, or imagesTr and "
        "labelsTr), or a folder for each case",
        general=True,
        with_image=True,
    ),
}
"""Every layout, by the name of its data set."""
