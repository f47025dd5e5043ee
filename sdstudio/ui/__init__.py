"""What is seen: Qt widgets that send requests down and show events that come up."""
