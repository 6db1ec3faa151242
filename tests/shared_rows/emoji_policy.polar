# Row: emoji_policy. 🙂 Strings, ids and comments hold any character; names hold letters of any script.

actor Gärtner {}
resource Топор {}

likes(Gärtner{"🧑‍🌾"}, "🌻");
likes(Gärtner{"é"}, "🌵");
grows("🌻", Топор{"🪓 1"});

allow(wer: Gärtner, "🌱", что: Топор) if likes(wer, 花) and grows(花, что);  # 花 is a variable

test "🙂 equal to itself only 🙃" {
  assert allow(Gärtner{"🧑‍🌾"}, "🌱", Топор{"🪓 1"});
  assert_not allow(Gärtner{"🧑"}, "🌱", Топор{"🪓 1"});
  assert_not allow(Gärtner{"é"}, "🌱", Топор{"🪓 1"});
  assert likes(Gärtner{"é"}, x: String) iff x = "🌵";
}
