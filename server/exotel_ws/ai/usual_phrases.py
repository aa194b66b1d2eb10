"""Phrases of telephone talk by which turns are judged: defaults of the settings, in English and Hindi."""

from typing import Final


def _phrases(listed: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in listed.split(","))


_HUMS: Final = _phrases("hmm, hm, mm, mhm, uh huh, uh, oh, ah, huh, and then huh")
"""The last is what the embedded recogniser writes for "mm-hmm"."""
ANSWERS: Final = _phrases(
    """
    yes, yeah, yep, ya, ok, okay, right, sure, all right, alright, of course, fine, haa, haan, han, ji, achha, accha,
    acha, theek hai, thik hai, teek hai, हाँ, जी, अच्छा, ठीक है, that's right, that's correct, correct, exactly, sahi hai,
    bilkul, सही है, बिल्कुल
    """
)
BACKCHANNELS: Final = (
    *_HUMS,
    *ANSWERS,
    *_phrases("i see, i know, got it, good, great, nice, really, go on"),
)
ALWAYS: Final = _phrases("stop, wait, hold on, excuse me, listen, no, ruko, suno, nahi, रुको, सुनो, नहीं")
SHORT_ANSWERS: Final = _phrases(
    """
    yes, yeah, yep, no, nope, ok, okay, right, all right, alright, sure, of course, correct, nothing, never mind, that's
    all, that is all, that's it, haa, haan, han, ji, achha, accha, theek hai, nahi, nahin, bas, हाँ, जी, अच्छा, ठीक है,
    नहीं, बस
    """
)
COURTESIES: Final = _phrases(
    """
    hello, hallo, hi, hey, namaste, thank you, thank you very much, thanks, please, great, good, fine, nice, perfect,
    sorry, pardon, what, bye, goodbye, sir, madam, ma'am, kya, shukriya, dhanyavaad, नमस्ते, हैलो, क्या, शुक्रिया,
    धन्यवाद
    """
)
OPEN_ENDINGS: Final = _phrases(
    """
    a, an, the, this is, my, your, our, his, their, its, some, any, every, which, whose, and, or, but, because, so
    that, if, when, where, whether, why, how, who, while, than, know that, think that, said that, told that, told me
    that, of, to, for, from, with, at, on, in, about, into, by, since, until, before, after, i, we, they, he, she, is,
    are, was, were, am, i'm, we're, it's, will, would, can, could, should, has, had, have, i've, don't, didn't,
    haven't, can you, could you, do you, did you, know, want, need, would like, i'd like, wanted, needed, say, tell me,
    ask, get, give me, find, check, think, calling, wondering, looking, trying, mean, just, very, not, uh, um, er, is
    called, excuse me, good morning, good afternoon, good evening, i have a question, one question, one thing, one more
    thing, ask something, ask you something, know something, something to ask,
    the status, the reason, let me see, let me think, hold on, one moment, one second, actually, you know what,
    aur, ki, kyunki, lekin, magar, mera, meri, mere, ka, ke, ko, mein, se, agar, mujhe, yeh, ek, और, कि, क्योंकि,
    लेकिन, मगर, या, तो, मेरा, मेरी, मेरे, का, की, के, को, में, से, पर, जो, अगर, मुझे, मैं, हम, यह, ये, वह, एक
    """
)
WHOLE_SENTENCES: Final = _phrases(
    """
    i know, i don't know, you know, that is what i want, that's what i need, what do you mean, what do you think, what
    do you have, i think so, why not, go on, come on, come in, what is going on, what's going on, so do i, yes it is,
    yes i am, yes i do, yes i have, yes i can, yes i would, yes we are, no i don't, no i didn't, no i haven't, of
    course not, where are you from, what is it for, not that, i hope not, what did you say, tell me
    """
)
LEAD_INS: Final = _phrases(
    """
    i have a, i have an, i've got, i have got, there is, there are, there was, there's, my name is, this is, you know,
    you see, i think, i was, i have been, i've been, it's about, it is about, it is regarding
    """
)
"""Beginnings of sentences after which another one comes: this one only leads up to it."""
GREETINGS: Final = _phrases("hello, hallo, hi, hey, hello there, namaste, नमस्ते, हैलो")
ANNOUNCEMENTS: Final = _phrases(
    """
    call is now being recorded, call is being recorded, call may be recorded, call will be recorded, being recorded,
    recorded for quality, trial account, press any key to
    """
)
NUMBERS: Final = _phrases(
    """
    zero, oh, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen,
    sixteen, seventeen, eighteen, nineteen, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety, hundred,
    thousand, lakh, double, triple, teen, char, paanch, chhe, saat, aath, nau, das, तीन, चार, पाँच, छह, सात, आठ, नौ,
    दस
    """
)
"""Words of numbers as people read them out. The Hindi "ek" and "do" are words of other kinds more often."""
MACHINES: Final = _phrases(
    """
    leave a message, leave your message, leave me a message, leave your name, record your message, record a message,
    voice mail, voicemail, mailbox, answering machine, after the tone, after the beep, at the tone, at the beep, not
    available to take your call, unable to take your call, can't take your call, cannot take your call, can't come to
    the phone, the person you are calling, the person you are trying to reach, the number you are calling, the number
    you have dialed, the number you have dialled, the subscriber you, संदेश छोड़ें, संदेश छोड़िए, बीप के बाद, टोन के
    बाद, जिस नंबर, जिस व्यक्ति को
    """
)
"""Phrases of answering machines, and of the network in place of a subscriber."""
