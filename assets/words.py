"""Makes words.txt, the words that scenes show: some that people try first, then every third one of Debian's small list.

    apt-get install wamerican-small && python assets/words.py

The list (SCOWL, by Kevin Atkinson) may be copied and changed freely; see words-licence.txt.
"""
import re
from pathlib import Path
from shutil import copyfile

FIRST = """hello world open closed stop exit sale taxi cafe pizza hotel bank milk tea water coffee bread cheese apple lemon
cat dog bird fish tree house car bus train bike road park shop store price total free push pull enter start help yes no
love peace happy smile music radio phone email name date time day night sun moon star rain snow wind fire king queen
north south east west left right up down on off one two three four five six seven eight nine ten red blue green black
white gray pink orange brown yellow purple loupe test rust paris rome oslo berlin tokyo summer winter spring monday
friday sunday march april june july news menu soup salad fresh local art book page ticket zone gate room floor bed""".split()
RUDE = re.compile(r"fuck|shit|cunt|cock|dick|piss|slut|whore|fag|nig|rape|rapis|porn|tit|arse|^ass|bitch|sex|nazi|dyke|spic|"
                  r"kike|wank|crap|damn|penis|vagin|anus|anal|puss|jap|gook|wop|coon|homo|lesb|negro|turd|fart|poop|boob")


def main() -> None:
    here = Path(__file__).parent
    every = Path("/usr/share/dict/american-english-small").read_text().split()
    every = [w for w in every if re.fullmatch("[a-z]{3,6}", w) and not RUDE.search(w)]
    words = dict.fromkeys(w for w in FIRST if len(w) <= 6) | dict.fromkeys(every[::3])
    (here / "words.txt").write_text("\n".join(words) + "\n")
    copyfile("/usr/share/doc/wamerican-small/copyright", here / "words-licence.txt")


if __name__ == "__main__":
    main()
