"""The engines that are compared, each behind the same interface. Which of them are installed may differ."""
