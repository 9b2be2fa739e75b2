"""What is looked at and asked: pictures as [width, height, seed], a question, and turns before it."""

QUESTIONS = ["What is in the picture?", "How many people are there?", "Describe the image in detail.",
             "What does the sign say: \"Open\" or 17?", "Which colour is it, and isn't it blue?", "Is this a drawing?\n\nRead it."]
WORDS = "What is above the door?"


def table(sizes, detailed):
    """One case a picture size, one of two pictures, one of two turns, one of words alone.

    `detailed` are the sizes whose layers are recorded, one by one."""
    out = []
    for i, (width, height) in enumerate(sizes):
        out.append(dict(name=f"{width}x{height}", pictures=[[width, height, i]], history=[],
                        question=QUESTIONS[i % len(QUESTIONS)], detailed=(width, height) in detailed, answered=i < 1))
    first, second = out[0]["pictures"][0], out[1]["pictures"][0]
    out.append(dict(name="two", pictures=[first, second], history=[], question="Compare these two.", detailed=False,
                    answered=True))
    out.append(dict(name="turns", pictures=[second], history=[[QUESTIONS[0], "A red circle."]], question=QUESTIONS[1],
                    detailed=False, answered=True))
    out.append(dict(name="words", pictures=[], history=[], question=WORDS, detailed=True, answered=True))
    assert sum(c["detailed"] for c in out) == len(detailed) + 1
    return out


def messages(case):
    """The conversation as chat templates take it; the pictures come before the first question."""
    turns = [*case["history"], [case["question"], None]]
    out = []
    for i, (question, answer) in enumerate(turns):
        pictures = [{"type": "image"}] * (0 if i else len(case["pictures"]))
        out.append({"role": "user", "content": pictures + [{"type": "text", "text": question}]})
        if answer is not None:
            out.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return out
