package dev.ebb.launcher.up;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.up.Greeting.Login;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class GreetingTest {
  private static final Path DATA = Path.of("/data");

  @Test
  void passwordIsPartOfTheLineOnceKnown() {
    var greeting =
        new Greeting(
            "127.0.0.1",
            6432,
            6433,
            new Login("ebb", "app"),
            "p$ w/d",
            "http://127.0.0.1:8432",
            DATA);

    assertThat(greeting.text())
        .contains("psql \"postgres://app:p%24%20w%2Fd@127.0.0.1:6432/ebb\"")
        .contains("http://127.0.0.1:8432")
        .contains("/data")
        .contains("pooled    the same with port 6433")
        .contains("Ctrl-C");
  }

  @Test
  void withoutDatabaseItSaysHowToMakeOne() {
    assertThat(new Greeting("127.0.0.1", 1, 0, null, null, "", DATA).text())
        .contains("./ebb db create");
  }
}
