"""What can be wrong with a source: said in one sentence, with what to do about it."""

from __future__ import annotations

from nearcast.model.faults import Mistake, OperatorFault


class UnusableSource(OperatorFault):
    """The operator's video cannot be packaged; nothing has been left behind."""

    def __init__(self, source: object, sentence: str, remedy: str) -> None:
        self.source = str(source)
        self.remedy = remedy
        super().__init__(sentence, [Mistake("source", self.source, remedy)])


class UnusableFolder(OperatorFault):
    """The title cannot be put where the operator wants it."""

    def __init__(self, folder: object, sentence: str, remedy: str) -> None:
        self.folder = str(folder)
        self.remedy = remedy
        super().__init__(sentence, [Mistake("folder", self.folder, remedy)])
