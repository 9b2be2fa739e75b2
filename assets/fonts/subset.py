"""Cuts the probe's fonts out of Debian's: ASCII only, no hinting, no kerning, neutral names.

    apt-get install fonts-dejavu-core fonts-liberation2 fonts-lato fonts-open-sans fonts-crosextra-carlito \
        fonts-crosextra-caladea fonts-firacode fonts-quicksand fonts-roboto-unhinted fonts-cabin fonts-comic-neue \
        fonts-ebgaramond
    pip install fonttools==4.68.0 && python assets/fonts/subset.py

Renaming keeps the reserved font names of the Open Font License free; copyright and licence records stay inside.
"""
from pathlib import Path
from shutil import copyfile

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
SHARE = Path("/usr/share")
TRAIN = {
    "dejavu-sans": "truetype/dejavu/DejaVuSans.ttf",
    "dejavu-sans-bold": "truetype/dejavu/DejaVuSans-Bold.ttf",
    "dejavu-serif": "truetype/dejavu/DejaVuSerif.ttf",
    "dejavu-mono-bold": "truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "liberation-sans": "truetype/liberation2/LiberationSans-Regular.ttf",
    "liberation-sans-bold": "truetype/liberation2/LiberationSans-Bold.ttf",
    "liberation-serif": "truetype/liberation2/LiberationSerif-Regular.ttf",
    "liberation-serif-bold": "truetype/liberation2/LiberationSerif-Bold.ttf",
    "liberation-mono": "truetype/liberation2/LiberationMono-Regular.ttf",
    "lato": "truetype/lato/Lato-Regular.ttf",
    "lato-heavy": "truetype/lato/Lato-Heavy.ttf",
    "open-sans-semibold": "truetype/open-sans/OpenSans-Semibold.ttf",
    "carlito-italic": "truetype/crosextra/Carlito-Italic.ttf",
    "caladea": "truetype/crosextra/Caladea-Regular.ttf",
    "fira-code-medium": "truetype/firacode/FiraCode-Medium.ttf",
    "quicksand-bold": "truetype/quicksand/Quicksand-Bold.ttf",
}
TEST = {
    "roboto-medium": "truetype/roboto/unhinted/RobotoTTF/Roboto-Medium.ttf",
    "cabin-semibold": "opentype/cabin/Cabin-SemiBold.otf",
    "comic-neue-bold": "opentype/comic-neue/ComicNeue-Bold.otf",
    "eb-garamond-bold": "opentype/ebgaramond/EBGaramond12-Bold.otf",
}
PACKAGES = ("dejavu-core liberation2 lato open-sans crosextra-carlito crosextra-caladea firacode quicksand "
            "roboto-unhinted cabin comic-neue ebgaramond").split()


def subset(source: Path, target: Path, name: str) -> None:
    """Writes the printable ASCII of `source` to `target` under `name`."""
    font = TTFont(source, recalcTimestamp=False)
    options = Options(hinting=False, desubroutinize=True, layout_features=[], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "kern", "DSIG", "FFTM", "morx"]
    cutter = Subsetter(options)
    cutter.populate(unicodes=range(0x20, 0x7F))
    cutter.subset(font)
    for record in font["name"].names:
        if record.nameID in (1, 3, 4, 6):
            record.string = name.replace(" ", "") if record.nameID == 6 else name
    if "CFF " in font:
        cff = font["CFF "].cff
        cff.fontNames[0] = name.replace(" ", "")
        cff[0].FamilyName = cff[0].FullName = name
    target.parent.mkdir(exist_ok=True)
    font.save(target, reorderTables=True)


def main() -> None:
    faces = [("train", stem, path) for stem, path in TRAIN.items()] + [("test", stem, path) for stem, path in TEST.items()]
    for number, (part, stem, path) in enumerate(faces, 1):
        source = SHARE / "fonts" / path
        subset(source, HERE / part / f"{stem}{source.suffix}", f"Probe Face {number}")
    (HERE / "licences").mkdir(exist_ok=True)
    for package in PACKAGES:
        copyfile(SHARE / f"doc/fonts-{package}/copyright", HERE / f"licences/{package}.txt")
    copyfile(SHARE / "common-licenses/Apache-2.0", HERE / "licences/Apache-2.0.txt")


if __name__ == "__main__":
    main()
