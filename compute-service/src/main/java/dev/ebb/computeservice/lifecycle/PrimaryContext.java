package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.capture.CaptureMeters;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import io.vertx.core.Vertx;

/** What every primary of a host shares, and every replica. */
public record PrimaryContext(
    Vertx vertx,
    BlockingBus bus,
    ComputeServiceConfig config,
    Catalog catalog,
    BranchHeads heads,
    PageClient pages,
    AdminPasswords passwords,
    PostgresInstances instances,
    CaptureMeters captureMeters) {}
