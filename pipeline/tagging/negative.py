"""Emotions that hurt, whose cause is worth knowing."""

NEGATIVE = frozenset(
    {("basic-emotion", label) for label in ("anger", "disgust", "fear", "sadness")}
    | {
        ("fine-emotion", label)
        for label in (
            "anger",
            "annoyance",
            "disappointment",
            "disapproval",
            "disgust",
            "fear",
            "frustration",
            "grief",
            "nervousness",
            "remorse",
            "sadness",
        )
    }
)
