"""Synthetic DICOM slices for tests; nothing of any patient is in them."""

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

STUDY, FRAME = generate_uid(), generate_uid()
TILT = np.deg2rad(10)
ROW = np.array([np.cos(TILT), np.sin(TILT), 0])
COLUMN = np.array([-np.sin(TILT), np.cos(TILT), 0])
VOLUME = np.random.default_rng(0).integers(0, 2000, (5, 6, 7)).astype(np.uint16)


def save(path, pixels, place, series, **changes):
    """Write a CT slice whose normal is the world's z."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta[0x20003].value
    data.PatientID, data.PatientName = "p1", "Nobody^"
    data.PatientBirthDate = data.PatientSex = data.AccessionNumber = ""
    data.StudyID = data.StudyDate = data.StudyTime = data.ReferringPhysicianName = ""
    data.StudyInstanceUID, data.FrameOfReferenceUID = STUDY, FRAME
    data.PositionReferenceIndicator = ""
    data.SeriesInstanceUID, data.SeriesNumber = series, 3
    data.Modality, data.SeriesDescription = "CT", "Thorax"
    data.Manufacturer = "Nobody"
    data.Rows, data.Columns = pixels.shape[:2]
    data.PixelSpacing, data.SliceThickness = [0.6, 0.5], 2.5
    data.ImageOrientationPatient = [*ROW, *COLUMN]
    data.ImagePositionPatient = [-10, -20, place]
    data.InstanceNumber = 1
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = pixels.tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return data


def series(folder, places=(0, 2, 4, 6, 8), uid=None, volume=VOLUME, **changes):
    """Write slices whose names say nothing about their order."""
    uid = uid or generate_uid()
    for number, (pixels, place) in enumerate(zip(volume, places, strict=False)):
        name = f"IM{number * 7 % 5}-{uid[-9:]}"
        save(folder / name, pixels, place, uid, **changes)
    return uid


def change(path, edit):
    """Edit a file that is there."""
    data = pydicom.dcmread(path)
    edit(data)
    data.save_as(path)
    return data


def group(**sequences):
    """Make functional groups: a sequence of one item each, of the elements given."""
    item = Dataset()
    for name, elements in sequences.items():
        inner = Dataset()
        for element, value in elements.items():
            setattr(inner, element, value)
        setattr(item, name, [inner])
    return item


def enhanced(path, frames, own, shared=None, **changes):
    """Write an enhanced file.

    ``own`` has for every frame what `group` takes, ``shared`` what all frames have.
    """
    gone = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient")
    gone += ("RescaleSlope", "RescaleIntercept", "SliceThickness")
    data = save(path, frames[0], 0, generate_uid(), **dict.fromkeys(gone))
    data.PixelData, data.NumberOfFrames = np.stack(frames).tobytes(), len(frames)
    shared = {
        "PixelMeasuresSequence": {"PixelSpacing": [0.6, 0.5], "SliceThickness": 2},
        "PlaneOrientationSequence": {"ImageOrientationPatient": [*ROW, *COLUMN]},
    } | (shared or {})
    shared = {name: value for name, value in shared.items() if value}
    data.SharedFunctionalGroupsSequence = [group(**shared)]
    data.PerFrameFunctionalGroupsSequence = [group(**one) for one in own]
    for name, value in changes.items():
        setattr(data, name, value)
    data.save_as(path)
    return data


def at(place, **sequences):
    """Place a frame on the world's z, for `enhanced`."""
    position = {"ImagePositionPatient": [-10, -20, place]}
    return {"PlanePositionSequence": position} | sequences
