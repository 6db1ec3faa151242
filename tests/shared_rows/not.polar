# Row: not. It holds where what it denies does not; a `not` of a `not` takes it back.

actor Bird {}
resource Branch {}

flies(bird: Bird) if is_bird(bird) and not is_penguin(bird);
walks(bird: Bird) if is_bird(bird) and not (not is_penguin(bird));
is_lonely(bird: Bird) if is_bird(bird) and not (other matches Bird and is_friend(bird, other));

allow(bird: Bird, "fly_to", branch: Branch) if flies(bird) and is_branch(branch);
allow(bird: Bird, "walk_to", branch: Branch) if walks(bird) and is_branch(branch);
allow(bird: Bird, "stay_on", branch: Branch) if
  is_lonely(bird) and is_branch(branch) and not (is_rotten(branch) or is_thin(branch));

test "penguins walk, the others fly" {
  setup {
    is_bird(Bird{"pingu"});
    is_penguin(Bird{"pingu"});
    is_bird(Bird{"swift"});
    is_penguin(Bird{"stone"});
    is_branch(Branch{"b"});
  }
  assert allow(bird: Bird, "fly_to", Branch{"b"}) iff bird = Bird{"swift"};
  assert allow(bird: Bird, "walk_to", Branch{"b"}) iff bird = Bird{"pingu"};
  assert allow(Bird{"swift"}, "fly_to", Branch{"b"});
  assert allow(Bird{"pingu"}, "walk_to", Branch{"b"});
  assert_not allow(Bird{"pingu"}, "fly_to", Branch{"b"});
  assert_not allow(Bird{"swift"}, "walk_to", Branch{"b"});
  # Not known to be a bird.
  assert_not allow(Bird{"stone"}, "fly_to", Branch{"b"});
  assert_not allow(Bird{"stone"}, "walk_to", Branch{"b"});
}

test "not one, for any other" {
  setup {
    is_bird(Bird{"swift"});
    is_bird(Bird{"robin"});
    is_friend(Bird{"robin"}, Bird{"swift"});
    is_branch(Branch{"b"});
    is_branch(Branch{"r"});
    is_rotten(Branch{"r"});
    is_branch(Branch{"t"});
    is_thin(Branch{"t"});
  }
  assert allow(Bird{"swift"}, "stay_on", Branch{"b"});
  assert_not allow(Bird{"robin"}, "stay_on", Branch{"b"});
  assert_not allow(Bird{"swift"}, "stay_on", Branch{"r"});
  assert_not allow(Bird{"swift"}, "stay_on", Branch{"t"});
}
