package dev.ebb.gateway.route;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import java.net.InetAddress;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** A database that there is, and what its name with a branch's leads to. */
public final class Located {
  private final List<Cidr> allowed;
  private final Supplier<Optional<BranchId>> branch;

  /**
   * @param allowed where its clients may come from; empty: from everywhere
   * @param branch what {@link #branch} answers or throws
   */
  public Located(List<Cidr> allowed, Supplier<Optional<BranchId>> branch) {
    this.allowed = List.copyOf(allowed);
    this.branch = branch;
  }

  /** To be asked before anything is told of the database. */
  public boolean allows(InetAddress client) {
    return allowed.isEmpty() || allowed.stream().anyMatch(block -> block.contains(client));
  }

  /**
   * Empty where there is no such branch, or it or its database is being dropped.
   *
   * @throws UnfinishedException where it is still being made
   */
  public Optional<BranchId> branch() {
    return branch.get();
  }
}
