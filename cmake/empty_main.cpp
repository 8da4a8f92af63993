// The program of a link test: it does nothing, its library must link alone.
int main() { return 0; }
