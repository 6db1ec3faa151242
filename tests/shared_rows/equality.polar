# Row: equality. `=` holds between equal values only, and values of different types are never equal.

actor Person {}
actor Robot {}
resource Box {}

same(x: Person, y: Person) if is_here(x) and is_here(y) and x = y;
one_is_text(x: String) if x = "1";
one_is_number(x: Integer) if x = 1;
one_is_true(x: Boolean) if x = true;

allow(person: Person, "open", box: Box) if
  owner matches Person and is_owner(box, owner) and person = owner;
allow(person: Person, "move", box: Box) if is_here(person) and box = Box{"light"};
allow(person: Person, "look", box: Box) if
  is_here(person) and kind(box, x) and "glass" = x;
allow(person: Person, "shake", box: Box) if
  is_here(person) and kind(box, x) and kind(box, y) and x != y;

test "equal" {
  setup {
    is_here(Person{"a"});
    is_here(Person{"b"});
    is_owner(Box{"x"}, Person{"a"});
    kind(Box{"x"}, "glass");
    kind(Box{"y"}, "Glass");
    kind(Box{"z"}, "glass");
    kind(Box{"z"}, "metal");
  }
  assert same(x: Person, y: Person) iff x = y and x in [Person{"a"}, Person{"b"}];
  assert allow(Person{"a"}, "open", Box{"x"});
  assert_not allow(Person{"b"}, "open", Box{"x"});
  assert allow(Person{"b"}, "move", Box{"light"});
  assert_not allow(Person{"b"}, "move", Box{"x"});
  assert allow(Person{"a"}, "look", Box{"x"});
  # Upper and lower case are different.
  assert_not allow(Person{"a"}, "look", Box{"y"});
  assert allow(Person{"a"}, "shake", Box{"z"});
  assert_not allow(Person{"a"}, "shake", Box{"x"});
}

test "the same text in another type is another value" {
  assert one_is_text(x: String) iff x = "1";
  assert one_is_number(x: Integer) iff x = 1;
  assert one_is_true(x: Boolean) iff x = true;
  assert one_is_true(true);
  assert_not one_is_true(false);
  assert_not one_is_text("01");
}
