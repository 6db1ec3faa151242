# Row: data_types, its scalar half. Strings, integers and booleans are stored, compared and kept apart.

actor User {}
resource Cell {}

text(Cell{"t"}, "7");
text(Cell{"quoted"}, "say \"hi\" \\ bye");
text(Cell{"blank"}, " ");
number(Cell{"n"}, 7);
number(Cell{"zero"}, 0);
number(Cell{"minus"}, -7);
flag(Cell{"f"}, true);
any(Cell{"n"}, 7);
any(Cell{"t"}, "7");
any(Cell{"f"}, true);
any(Cell{"tt"}, "true");

allow(_: User, "text", cell: Cell) if text(cell, x) and x = "7";
allow(_: User, "spelled", cell: Cell) if text(cell, "say \"hi\" \\ bye");
allow(_: User, "number", cell: Cell) if number(cell, x) and x = 7;
allow(_: User, "below", cell: Cell) if number(cell, x) and x < 0;
allow(_: User, "flag", cell: Cell) if flag(cell, x) and x != false;
allow(_: User, "seven", cell: Cell) if any(cell, 7);
allow(_: User, "text seven", cell: Cell) if any(cell, x) and x matches String and x = "7";
allow(_: User, "true", cell: Cell) if any(cell, true);
allow(_: User, "some number", cell: Cell) if any(cell, x) and x matches Integer;
allow(_: User, "equal", cell: Cell) if number(cell, x) and any(cell, x);

test "strings" {
  assert allow(User{"u"}, "text", cell: Cell) iff cell = Cell{"t"};
  assert allow(User{"u"}, "text", Cell{"t"});
  assert_not allow(User{"u"}, "text", Cell{"blank"});
  assert text(Cell{"blank"}, x: String) iff x = " ";
  assert allow(User{"u"}, "spelled", Cell{"quoted"});
  assert_not allow(User{"u"}, "spelled", Cell{"t"});
}

test "integers" {
  assert number(Cell{"n"}, x: Integer) iff x = 7;
  assert number(Cell{"zero"}, x: Integer) iff x = 0;
  assert allow(User{"u"}, "number", Cell{"n"});
  assert_not allow(User{"u"}, "number", Cell{"minus"});
  assert allow(User{"u"}, "below", cell: Cell) iff cell = Cell{"minus"};
  assert allow(User{"u"}, "below", Cell{"minus"});
  assert_not allow(User{"u"}, "below", Cell{"zero"});
}

test "booleans" {
  setup { flag(Cell{"off"}, false); }
  assert allow(User{"u"}, "flag", Cell{"f"});
  assert_not allow(User{"u"}, "flag", Cell{"off"});
}

test "kept apart" {
  assert allow(User{"u"}, "seven", cell: Cell) iff cell = Cell{"n"};
  assert allow(User{"u"}, "seven", Cell{"n"});
  assert_not allow(User{"u"}, "seven", Cell{"t"});
  assert allow(User{"u"}, "text seven", Cell{"t"});
  assert_not allow(User{"u"}, "text seven", Cell{"n"});
  assert any(Cell{"tt"}, x: String) iff x = "true";
  assert allow(User{"u"}, "true", Cell{"f"});
  assert_not allow(User{"u"}, "true", Cell{"tt"});
  assert allow(User{"u"}, "some number", cell: Cell) iff cell = Cell{"n"};
  assert allow(User{"u"}, "some number", Cell{"n"});
  assert_not allow(User{"u"}, "some number", Cell{"f"});
  assert allow(User{"u"}, "equal", Cell{"n"});
  assert_not allow(User{"u"}, "equal", Cell{"t"});
}
