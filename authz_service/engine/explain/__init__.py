"""Explaining decisions: why a question is permitted, and what it lacks if it is not.

    kinds       the author's rules that one kind of question can reach, as steps over numbered slots
    lookups     facts, through the indexes that programs demand
    derive      goal-directed evaluation that keeps, for all that it derives, the rule and the values
    direct      the same for what is known to hold, with compiled code that says what does
    proof       what was derived, as steps from the facts to the answer
    misses      which rules came how near to a denied answer
    changes     the smallest changes of facts by which the answer becomes PERMIT
    values, support  what can stand in new facts, and what a derivation rests on
    explainer   all of it for one policy

Explanations speak of the rules as they were written, not as they are compiled. The decision itself always
comes from the program that decides; where an explanation would contradict it there is an error.
"""
