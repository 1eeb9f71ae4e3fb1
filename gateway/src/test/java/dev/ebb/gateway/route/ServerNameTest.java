package dev.ebb.gateway.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.model.BranchAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ServerNameTest {
  @ParameterizedTest
  @CsvSource({
    "shop.db.example.com,shop,main",
    "dev--shop.db.example.com,shop,dev",
    "Dev--Shop.DB.Example.COM,shop,dev",
    "dev-2--my-shop.db.example.com,my-shop,dev-2",
    "main--a--b.db.example.com,a--b,main"
  })
  void nameBelowTheDomainIsABranchs(String host, String database, String branch) {
    assertThat(ServerName.parse(host, "db.example.com"))
        .contains(new BranchAddress(database, branch));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "db.example.com",
        ".db.example.com",
        "shop.example.com",
        "shopdb.example.com",
        "a.shop.db.example.com",
        "--shop.db.example.com",
        "dev--.db.example.com",
        "1--shop.db.example.com",
        "localhost"
      })
  void otherNamesMeanNothing(String host) {
    assertThat(ServerName.parse(host, "db.example.com")).isEmpty();
  }
}
