"""Take words that mean the same for one word, as a flow lists them."""

from collections import defaultdict
from collections.abc import Iterable

from exotel_ws.ai.scripted.vocabulary import words


class Alike:
    """Lists of words and phrases that mean the same. The first of each stands for all."""

    def __init__(self, lists: Iterable[Iterable[str]] = ()) -> None:
        self._single: dict[str, str] = {}
        self._phrases: defaultdict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        """For a word, the phrases that begin with it, the longest first, and the word that is taken for each."""
        self._forms: defaultdict[str, list[str]] = defaultdict(list)
        for some in filter(None, map(list, lists)):
            said = [words(text) for text in some]
            first = " ".join(said[0])
            for each in said:
                if len(each) > 1:
                    self._phrases[each[0]].append((each, first))
                else:
                    self._single[each[0]] = first
                    self._forms[first].append(each[0])
        for phrases in self._phrases.values():
            phrases.sort(key=lambda pair: -len(pair[0]))

    def taken(self, said: tuple[str, ...]) -> tuple[str, ...]:
        """Return ``said`` with the first of its list for each word or phrase; of phrases the longest counts.

        Two that mean the same side by side are one ("customer care executive").
        """
        made: list[str] = []
        place = 0
        while place < len(said):
            phrase, word = next(
                (pair for pair in self._phrases.get(said[place], ()) if said[place : place + len(pair[0])] == pair[0]),
                (said[place : place + 1], self._single.get(said[place], said[place])),
            )
            again = made and made[-1] == word and phrase != (word,)
            made += () if again else (word,)
            place += len(phrase)
        return tuple(made)

    def forms(self, word: str) -> list[str]:
        """Return the single words that are taken for ``word``, itself among them."""
        return self._forms.get(word, [word])
