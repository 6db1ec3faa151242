# Rows: default_rule_types, missing_required_rule_type. Nothing has to be implemented: roles and relations that
# a block declares are facts, and a predicate that no rule defines is one as well.

actor User {}

resource Team {
  roles = ["captain"];
}

resource Match {
  roles = ["referee"];
  permissions = ["start", "stop"];
  relations = { home: Team };

  "start" if "captain" on "home";
  "stop" if "referee" or is_spectator_sport(resource);
}

# `Actor` is every actor, `Resource` is everything, actors included.
is_thing(_: Resource);
is_somebody(_: Actor);

test "stored roles and relations" {
  setup {
    has_role(User{"cap"}, "captain", Team{"reds"});
    has_relation(Match{"final"}, "home", Team{"reds"});
    has_role(User{"ref"}, "referee", Match{"final"});
  }
  assert allow(User{"cap"}, action: String, Match{"final"}) iff action = "start";
  assert allow(User{"cap"}, "start", Match{"final"});
  assert allow(User{"ref"}, "stop", Match{"final"});
  assert_not allow(User{"ref"}, "start", Match{"final"});
  assert_not allow(User{"cap"}, "start", Match{"other"});
}

test "a stored predicate of one's own" {
  setup { is_spectator_sport(Match{"fun"}); }
  assert allow(_: User, "stop", Match{"fun"});
  assert allow(User{"anybody"}, "stop", Match{"fun"});
  assert_not allow(User{"anybody"}, "stop", Match{"final"});
}

test "abstract types" {
  assert is_thing(User{"u"});
  assert is_thing(Team{"t"});
  assert is_somebody(User{"u"});
}
