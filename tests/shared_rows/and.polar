# Row: and. All conditions, in whatever order they are written.

actor Cook {}
resource Dish {}

allow(cook: Cook, "serve", dish: Dish) if is_warm(dish) and prepared(cook, dish);
allow(cook: Cook, "taste", dish: Dish) if prepared(cook, dish) and is_warm(dish);
allow(cook: Cook, "throw_away", dish: Dish) if
  prepared(cook, dish) and (is_warm(dish) and (is_old(dish) and true));

test "both are needed" {
  setup {
    prepared(Cook{"remy"}, Dish{"soup"});
    is_warm(Dish{"soup"});
    prepared(Cook{"remy"}, Dish{"salad"});
    is_warm(Dish{"stew"});
    is_old(Dish{"salad"});
  }
  assert allow(Cook{"remy"}, "serve", Dish{"soup"});
  assert allow(Cook{"remy"}, "taste", Dish{"soup"});
  assert_not allow(Cook{"remy"}, "serve", Dish{"salad"});
  assert_not allow(Cook{"remy"}, "taste", Dish{"stew"});
  assert_not allow(Cook{"remy"}, "throw_away", Dish{"soup"});
  assert_not allow(Cook{"remy"}, "throw_away", Dish{"salad"});
}

test "all three" {
  setup { prepared(Cook{"remy"}, Dish{"stew"}); is_warm(Dish{"stew"}); is_old(Dish{"stew"}); }
  assert allow(Cook{"remy"}, "throw_away", Dish{"stew"});
}
