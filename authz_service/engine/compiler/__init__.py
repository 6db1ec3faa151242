"""The compiler: from the checked rules of a policy to Python functions over facts in memory.

    normalise    rules whose bodies are lists of conditions; what stands under `or` and `not` gets a name
    specialise   the rules that one kind of question can reach, for its types and literals
    rewrites     each makes of a rule program one that means the same and is cheaper; see `rewrites`
    plan         which arguments are bound, in which order conditions are looked at, how recursion ends
    emit         Python source

The stages up to `rewrites` speak of rules only, so that the reference engine can evaluate what they return;
tests compare the meaning before and after. Nothing here looks at facts.
"""
