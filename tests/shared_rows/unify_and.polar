# Row: unify_and. A variable that is bound in one condition keeps its value in the next one.

actor Player {}
resource Field {}

declare shirt(Player, String);
declare wanted(Field, String);

both_colours(x: String, y: String) if wears(x, y) and x = "red" and y = "blue";
wears("red", "blue");
wears("blue", "red");
wears("red", "red");

allow(player: Player, "enter", field: Field) if
  shirt(player, x) and y = x and wanted(field, y);
allow(player: Player, "leave", field: Field) if
  x = "red" and shirt(player, x) and wanted(field, y) and both_colours(x, y);

test "one value for one variable" {
  setup {
    shirt(Player{"r"}, "red");
    shirt(Player{"b"}, "blue");
    wanted(Field{"f"}, "red");
    wanted(Field{"g"}, "blue");
  }
  assert wears(x: String, y: String) iff (x = "red" and y in ["red", "blue"]) or (x = "blue" and y = "red");
  assert both_colours(x: String, y: String) iff x = "red" and y = "blue";
  assert allow(Player{"r"}, "enter", Field{"f"});
  assert allow(Player{"b"}, "enter", Field{"g"});
  assert_not allow(Player{"b"}, "enter", Field{"f"});
  assert allow(Player{"r"}, "leave", Field{"g"});
  assert_not allow(Player{"r"}, "leave", Field{"f"});
  assert_not allow(Player{"b"}, "leave", Field{"g"});
}
