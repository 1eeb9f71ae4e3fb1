package dev.ebb.launcher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ApiClient;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

/** A command waits for as long as the server may take, and says that it does. */
final class PatienceIT {
  /** What the API itself waits for at most: a branch that is created, reset or restored. */
  private static final int SERVER_MS = 600_000;

  @Test
  void changeIsWaitedForLongerThanTheServerWaits() {
    assertThat(ApiClient.timeoutMs("POST")).isGreaterThan(SERVER_MS);
    assertThat(ApiClient.timeoutMs("DELETE")).isGreaterThan(SERVER_MS);
  }

  @Test
  void waitingIsToldUntilTheAnswerComes() throws Exception {
    List<Duration> told = new CopyOnWriteArrayList<>();
    try (var api = new FakeApi()) {
      api.answer("POST /v1/databases/shop/branches", 201, "{\"name\":\"dev\"}");
      api.dawdle();
      var client =
          new ApiClient(
              api.url(),
              FakeApi.TOKEN,
              waited -> {
                told.add(waited);
                if (told.size() == 2) {
                  api.hurry();
                }
              },
              Duration.ofMillis(1));

      Object answer = client.send("POST", "/v1/databases/shop/branches", Map.of("name", "dev"));

      assertThat(answer).isEqualTo(Map.of("name", "dev"));
      assertThat(told).hasSizeGreaterThanOrEqualTo(2);
    }
  }
}
