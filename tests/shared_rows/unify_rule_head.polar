# Row: unify_rule_head. Literals and repeated variables in a head limit what the rule is about.

actor Player {}
resource Card {}

declare shows(Player, String);
declare shows_card(Card, String);

beats("rock", "scissors");
beats("paper", "rock");
beats("scissors", "paper");
is_draw(x: String, x: String) if beats(x, _);
wins(3, x: String, x: String) if x in ["a", "b"];

allow(_: Player, "take", Card{"ace"});
allow(Player{"p"}, "hold", card: Card) if is_dealt(card);
allow(player: Player, "swap", card: Card) if
  shows(player, x) and shows_card(card, y) and is_draw(x, y);

test "literals in the head" {
  assert allow(_: Player, "take", card: Card) iff card = Card{"ace"};
  assert allow(Player{"p"}, "take", Card{"ace"});
  assert beats(x: String, "rock") iff x = "paper";
  assert beats("rock", x: String) iff x = "scissors";
}

test "the same variable twice" {
  assert is_draw(x: String, y: String) iff x = y and x in ["rock", "paper", "scissors"];
  assert wins(n: Integer, x: String, y: String) iff n = 3 and x = y and x in ["a", "b"];
}

test "from a rule" {
  setup {
    is_dealt(Card{"king"});
    shows(Player{"p"}, "rock");
    shows(Player{"q"}, "paper");
    shows_card(Card{"king"}, "rock");
  }
  assert allow(Player{"p"}, "hold", Card{"king"});
  assert allow(who: Player, "hold", Card{"king"}) iff who = Player{"p"};
  assert_not allow(Player{"p"}, "hold", Card{"queen"});
  assert allow(Player{"p"}, "swap", Card{"king"});
  assert_not allow(Player{"q"}, "swap", Card{"king"});
}
