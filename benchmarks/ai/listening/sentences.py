"""Sentences of callers who have not read the flow. They are a check: nothing may be chosen, tuned or worded by them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sentence:
    """Sentence of a caller. ``right`` are the intents of the flow that answer it; none: what the flow can do nothing about.

    ``after``: said when the opening hours were asked for and told, so that it answers "Is there anything else?".
    """

    text: str
    right: frozenset[str]
    after: bool = False


def _meaning(texts: tuple[str, ...], *right: str, after: bool = False) -> tuple[Sentence, ...]:
    return tuple(Sentence(text, frozenset(right), after) for text in texts)


HOURS: Final = (
    "What time do you guys open up in the morning?",
    "Till what time can I come by today?",
    "Are you people open on public holidays?",
    "How late can I come in on a weekday?",
    "Is the office open on Sunday too?",
    "I wanted to check your timings.",
    "What are your business hours, please?",
    "When does your shop close tonight?",
    "Do you open before nine?",
    "Are you still open right now?",
    "Could you let me know what time you shut?",
    "Hi, quick one, are you open this Saturday?",
    "What days of the week are you open?",
    "From when to when are you open?",
    "I'd like to visit the store, until when are you there?",
    "Do you work on weekends?",
    "What's your closing time on Friday?",
    "At what time does the store open tomorrow morning?",
    "Is the store closed on Sundays?",
    "Kindly tell me the working hours.",
)
ORDER: Final = (
    "I'm still waiting on the shoes I bought from you.",
    "Can you tell me where my delivery is?",
    "My stuff hasn't shown up yet.",
    "I ordered something last week and it's not here.",
    "Has my package been sent out?",
    "When can I expect my delivery?",
    "I'd like an update on my order, please.",
    "Could you look up my shipment for me?",
    "What is happening with my order?",
    "The courier never turned up with my parcel.",
    "How long will my order take?",
    "I paid for it ten days back and still I have not received anything.",
    "Is my order out for delivery?",
    "I have been waiting for my order since Monday.",
    "I want to follow up on an order I placed.",
    "Why is my delivery so late?",
    "Can you find out where my package has got to?",
    "My order was supposed to arrive yesterday.",
    "Did you already ship my order?",
    "I did not get my parcel till now.",
    "Please check the status of my delivery.",
    "It says delivered but I don't have my package.",
)
AGENT: Final = (
    "I'd rather talk to a real human being.",
    "Is there somebody I could talk to?",
    "Get me your manager.",
    "Put me through to support, please.",
    "I need to talk to someone from customer service.",
    "Operator.",
    "May I speak with a representative?",
    "I don't want to talk to a machine.",
    "Let me have a word with your staff.",
    "Could you pass me on to a colleague?",
    "Please give the call to some executive.",
    "I want to talk to the person in charge.",
    "Connect my call to customer support.",
    "Can I speak with a live person, please?",
    "I would like to speak to somebody in sales.",
    "Hand me over to an actual person.",
    "Just transfer my call, please.",
    "Is it possible to speak to a supervisor?",
)
NO: Final = (
    "No, I think that's everything.",
    "No, I'm good, thanks.",
    "That would be all for now, thank you.",
    "Alright, thanks a lot, bye.",
    "Nothing more from my side.",
    "Okay, have a nice day, bye bye.",
    "Great, thanks for your help, goodbye.",
    "Nope, all done.",
    "No, that answers my question, thanks.",
    "Thank you, that is all I wanted to know.",
    "Ok thanks, bye.",
    "No, nothing at the moment.",
)
YES: Final = (
    "Yes, one more thing.",
    "Yeah, there is.",
    "Yes, actually.",
    "Yep, something else.",
    "Yes please, one more question.",
    "Sure, yes.",
    "Yes, I have another question.",
    "Oh yes.",
)
REPEAT: Final = (
    "Sorry, I missed that.",
    "Could you say it one more time?",
    "Come again?",
    "I didn't catch what you said.",
    "What was that again?",
    "Can you tell me once more, please?",
    "Excuse me, what did you just say?",
    "Please could you repeat it slowly?",
)
UNRELATED: Final = (
    "Do you have this phone in black?",
    "The bus was so crowded this morning.",
    "I want to change my billing address.",
    "My neighbour's dog barks the whole night.",
    "How much is the blue jacket?",
    "Can I pay in two instalments?",
    "I'd like to cancel what I bought.",
    "It's raining like mad over here.",
    "Which train goes to the central station?",
    "I forgot the password of my account.",
    "She moved to Bangalore last summer.",
    "Do you have vegetarian food?",
    "I never liked that song.",
    "What's the weather going to be like?",
    "I have a complaint about the product quality.",
    "Who is the prime minister?",
)
CLEAN: Final = (
    *_meaning(HOURS, "opening_hours"),
    *_meaning(ORDER, "order_status"),
    *_meaning(AGENT, "agent"),
    *_meaning(NO, "no", "goodbye", after=True),
    *_meaning(YES, "yes", "options", after=True),
    *_meaning(REPEAT, "opening_hours", after=True),
    *_meaning(UNRELATED),
)
"""Turns over all intents of the flow that ships, and remarks that have nothing to do with it."""
REMARKS: Final = _meaning(
    (
        "Oh, I see.",
        "That's right.",
        "That's fine by me.",
        "Oh, that's nice.",
        "I know that.",
        "Okay, that's interesting.",
        "Good to know.",
        "Alright.",
        "That's quite early.",
        "Hmm, that is what I thought.",
        "That makes sense.",
        "Fair enough.",
        "Please don't hang up.",
        "No, wait a second.",
        "Don't transfer me, please.",
        "I don't need an agent.",
        "No, no, I asked about my order.",
        "Not goodbye yet, I have a question.",
        "Please stay on the line.",
        "I do not want to be connected to anybody.",
    ),
    after=True,
)
"""Plain remarks and negated wishes after an answer: none of them ends a call or transfers it."""
LISTENING: Final = (
    "Okay.",
    "Yeah.",
    "Right.",
    "I see.",
    "Yes, yes.",
    "Mm-hmm.",
    "Uh-huh.",
    "हाँ",
    "अच्छा",
    "ठीक है",
)
"""Words of a listener, said over the bot. Those in Devanagari are for Hindi voices."""
HALVES: Final = (
    ("I would like to know,", "when you are open on Saturday.", "opening_hours"),
    ("I'm calling because,", "my parcel has not come.", "order_status"),
    ("Could you tell me,", "where my order is?", "order_status"),
    ("The shoes that I ordered from you,", "have not arrived yet.", "order_status"),
    ("I want to talk to,", "somebody in customer service.", "agent"),
    ("The thing I ordered last week,", "it still has not arrived.", "order_status"),
    ("Well, um,", "what time do you close today?", "opening_hours"),
    ("Can you please check,", "the status of my delivery?", "order_status"),
    ("I was wondering if,", "you are open on Sunday.", "opening_hours"),
    ("Hi, this is Ravi,", "I need to speak to a person.", "agent"),
    ("On Monday I bought a chair from you,", "and I'd like to know when it arrives.", "order_status"),
    ("Excuse me.", "Until what time are you open today?", "opening_hours"),
)
"""Halves of sentences with a pause in the middle, and the intent of the whole."""
NEARBY: Final = (
    "I would like to speak to an agent, please.",
    "No, that is all, thank you, goodbye.",
    "Did you see the match last night?",
    "Tell them we want to come on Sunday.",
)
"""Sentences of a second talker in the caller's room, who speaks to somebody else."""
ROOM: Final = (
    "So I told him that the meeting was moved to Thursday, and he said nobody had told him.",
    "We went all the way to the station, and then the last train had already gone.",
    "She wants to paint the kitchen yellow, but I think that white would be much better.",
    "If you take the second road on the left, you will see a big temple and a school.",
    "They have been building that bridge for years, and it is still not finished at all.",
    "My sister makes the best lentils in town, you should really come and taste them.",
)
"""Talk of six people in a room, all at once."""
EASY: Final = (
    ("When are you open on Saturday?", "opening_hours"),
    ("Where is my order, please?", "order_status"),
    ("What time do you close today?", "opening_hours"),
    ("My parcel has not arrived yet.", "order_status"),
)
"""Questions that any voice is understood with on a clean line, where the line is what is measured, or the time."""
