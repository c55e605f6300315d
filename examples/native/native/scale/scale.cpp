extern "C" int native_scale(int number, int factor) { return number * factor; }
