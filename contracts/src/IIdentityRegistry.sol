// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What a permissioned token asks an identity registry
/// @notice The views of ERC-3643's `IIdentityRegistry` that our token uses, so that any ERC-3643 registry fits.
interface IIdentityRegistry {
    /// @notice Whether `wallet` may hold tokens now.
    function isVerified(address wallet) external view returns (bool);

    /// @notice The identity `wallet` belongs to; zero when it is not registered.
    function identity(address wallet) external view returns (address);
}
