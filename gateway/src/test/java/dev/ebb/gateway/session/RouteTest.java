package dev.ebb.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.gateway.protocol.StartupMessage;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class RouteTest {
  private static Route route(String name, String value) {
    return Route.of(
        new StartupMessage(0, Map.of("user", "app", "database", "shop", name, value), List.of()));
  }

  @Test
  void whoAsksForNothingGetsThePrimary() {
    assertThat(route("options", "-c work_mem=4MB")).isEqualTo(Route.PRIMARY);
    assertThat(route("options", "-c ebb.route=primary")).isEqualTo(Route.PRIMARY);
  }

  @Test
  void replicaIsAskedForInOptionsOrAsAParameter() {
    assertThat(route("options", "-c ebb.route=replica")).isEqualTo(Route.REPLICA);
    assertThat(route("options", "--ebb.route=Replica")).isEqualTo(Route.REPLICA);
    assertThat(route("ebb.route", "replica")).isEqualTo(Route.REPLICA);
  }

  @Test
  void routeThatThereIsNotIsRefused() {
    assertThatThrownBy(() -> route("options", "-c ebb.route=nearest"))
        .isInstanceOfSatisfying(
            Refusal.class, refusal -> assertThat(refusal.error().sqlState()).isEqualTo("22023"))
        .hasMessage("invalid value for parameter \"ebb.route\": \"nearest\"");
    assertThatThrownBy(() -> route("ebb.route", "")).isInstanceOf(Refusal.class);
  }
}
