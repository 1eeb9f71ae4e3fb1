package dev.ebb.scalerservice.decide;

import static dev.ebb.scalerservice.decide.Computes.idle;
import static dev.ebb.scalerservice.decide.FleetWindow.HOST_EXPIRY_MS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.HostId;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FleetWindowTest {
  private final FleetWindow fleet = new FleetWindow();

  @Test
  void announcementReplacesTheOneBeforeAsAWhole() {
    fleet.hear(host("h1", "a", "b"), 0);
    fleet.hear(host("h1", "b"), 1_000);

    assertThat(branches(1_000)).containsExactly("b");
  }

  @Test
  void twoLostAnnouncementsChangeNothing() {
    fleet.hear(host("h1", "a"), 0);

    assertThat(branches(HOST_EXPIRY_MS - 1)).containsExactly("a");
  }

  @Test
  void hostThatFallsSilentIsForgottenWithItsComputes() {
    fleet.hear(host("h1", "a"), 0);
    fleet.hear(host("h2", "b"), 2_000);

    assertThat(branches(HOST_EXPIRY_MS)).containsExactly("b");
    assertThat(fleet.hosts()).isEqualTo(1);
  }

  @Test
  void repeatedAnnouncementChangesNothing() {
    fleet.hear(host("h1", "a"), 0);
    fleet.hear(host("h1", "a"), 0);

    assertThat(branches(0)).containsExactly("a");
    assertThat(fleet.hosts()).isEqualTo(1);
  }

  private List<String> branches(long nowMs) {
    return fleet.computes(nowMs).stream()
        .map(sighting -> sighting.status().branch().value())
        .toList();
  }

  private static HostAnnouncement host(String id, String... branches) {
    return new HostAnnouncement(
        new HostId(id),
        "127.0.0.1",
        10,
        20,
        false,
        Arrays.stream(branches).map(branch -> idle(branch).status()).toList());
  }
}
