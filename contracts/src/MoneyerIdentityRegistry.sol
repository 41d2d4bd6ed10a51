// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Agents} from "./Agents.sol";
import {IIdentityRegistry} from "./IIdentityRegistry.sol";

/// @title Which wallets may hold tokens
/// @notice One registry per system and chain, filled by an agent (the issuance server) and read by tokens.
/// A wallet is verified when it is registered and not suspended. Claims are judged by the server before it writes
/// here; the registry holds the outcome. Names and events are those of ERC-3643's identity registry.
/// @dev A registration is one storage slot, because a token reads it once for every recipient of a mint.
contract MoneyerIdentityRegistry is Agents, IIdentityRegistry {
    /// @dev `identity` is never zero in a registration; `country` is ISO 3166-1 numeric.
    struct Registration {
        address identity;
        uint16 country;
        bool suspended;
    }

    /// @notice What `batchSync` makes true for one wallet.
    /// @param wallet The wallet.
    /// @param identity The identity it belongs to; zero removes the registration.
    /// @param country ISO 3166-1 numeric.
    /// @param verified False suspends the registration and keeps it.
    struct Entry {
        address wallet;
        address identity;
        uint16 country;
        bool verified;
    }

    mapping(address wallet => Registration) private _registrations;

    /// @notice `wallet` now belongs to `identity`.
    event IdentityRegistered(address indexed wallet, address indexed identity);

    /// @notice `wallet` no longer belongs to `identity`.
    event IdentityRemoved(address indexed wallet, address indexed identity);

    /// @notice A wallet of `oldIdentity` belongs to `newIdentity` instead.
    event IdentityUpdated(address indexed oldIdentity, address indexed newIdentity);

    /// @notice The investor behind `wallet` lives in `country` (ISO 3166-1 numeric).
    event CountryUpdated(address indexed wallet, uint16 indexed country);

    /// @notice The registration of `wallet` was suspended (false) or restored (true).
    event VerificationUpdated(address indexed wallet, bool indexed verified);

    /// @notice The arrays of a batch have different lengths.
    error LengthMismatch();

    /// @notice The wallet or the identity of this line is the zero address.
    error RegistrationZero(uint256 line);

    /// @notice The wallet of this line is registered already.
    error AlreadyRegistered(uint256 line, address wallet);

    /// @notice The wallet is not registered.
    error NotRegistered(address wallet);

    /// @param owner Who names agents.
    /// @param agent The first agent.
    constructor(address owner, address agent) initializer {
        __Ownable_init(owner);
        _addAgent(agent);
    }

    /// @notice Registers a wallet that is not registered yet, as verified. Only an agent.
    function registerIdentity(address wallet, address identity_, uint16 country) external onlyAgent {
        _register(0, wallet, identity_, country);
    }

    /// @notice Registers wallets that are not registered yet, as verified: all of them or none. Only an agent.
    function batchRegisterIdentity(
        address[] calldata wallets,
        address[] calldata identities,
        uint16[] calldata countries
    ) external onlyAgent {
        if (wallets.length != identities.length || wallets.length != countries.length) revert LengthMismatch();
        for (uint256 line = 0; line < wallets.length; ++line) {
            _register(line, wallets[line], identities[line], countries[line]);
        }
    }

    /// @notice Makes the registry say what the entries say, whatever it said before; applying them again changes
    /// nothing and logs nothing. A mirror of another book of record needs no other function. Only an agent.
    function batchSync(Entry[] calldata entries) external onlyAgent {
        for (uint256 line = 0; line < entries.length; ++line) {
            _sync(line, entries[line]);
        }
    }

    /// @notice Gives a registered wallet another identity. Only an agent.
    function updateIdentity(address wallet, address identity_) external onlyAgent {
        if (identity_ == address(0)) revert RegistrationZero(0);
        _setIdentity(_registered(wallet), identity_);
    }

    /// @notice Changes the country of a registered wallet. Only an agent.
    function updateCountry(address wallet, uint16 country) external onlyAgent {
        _setCountry(wallet, _registered(wallet), country);
    }

    /// @notice Ends a registration. Only an agent.
    function deleteIdentity(address wallet) external onlyAgent {
        _remove(wallet, _registered(wallet));
    }

    /// @inheritdoc IIdentityRegistry
    function isVerified(address wallet) external view returns (bool) {
        Registration storage registration = _registrations[wallet];
        return registration.identity != address(0) && !registration.suspended;
    }

    /// @notice Whether `wallet` is registered, suspended or not.
    function contains(address wallet) external view returns (bool) {
        return _registrations[wallet].identity != address(0);
    }

    /// @inheritdoc IIdentityRegistry
    function identity(address wallet) external view returns (address) {
        return _registrations[wallet].identity;
    }

    /// @notice The country of the investor behind `wallet`, ISO 3166-1 numeric; zero when it is not registered.
    function investorCountry(address wallet) external view returns (uint16) {
        return _registrations[wallet].country;
    }

    function _register(uint256 line, address wallet, address identity_, uint16 country) private {
        if (wallet == address(0) || identity_ == address(0)) revert RegistrationZero(line);
        if (_registrations[wallet].identity != address(0)) revert AlreadyRegistered(line, wallet);
        _create(wallet, Registration(identity_, country, false));
    }

    function _sync(uint256 line, Entry calldata entry) private {
        if (entry.wallet == address(0)) revert RegistrationZero(line);
        Registration storage registration = _registrations[entry.wallet];
        bool known = registration.identity != address(0);

        if (entry.identity == address(0)) {
            if (known) _remove(entry.wallet, registration);
        } else if (!known) {
            _create(entry.wallet, Registration(entry.identity, entry.country, !entry.verified));
        } else {
            _setIdentity(registration, entry.identity);
            _setCountry(entry.wallet, registration, entry.country);
            _setVerified(entry.wallet, registration, entry.verified);
        }
    }

    function _registered(address wallet) private view returns (Registration storage registration) {
        registration = _registrations[wallet];
        if (registration.identity == address(0)) revert NotRegistered(wallet);
    }

    function _create(address wallet, Registration memory registration) private {
        _registrations[wallet] = registration;
        emit IdentityRegistered(wallet, registration.identity);
        emit CountryUpdated(wallet, registration.country);
        if (registration.suspended) emit VerificationUpdated(wallet, false);
    }

    function _remove(address wallet, Registration storage registration) private {
        emit IdentityRemoved(wallet, registration.identity);
        delete _registrations[wallet];
    }

    function _setIdentity(Registration storage registration, address identity_) private {
        if (registration.identity == identity_) return;
        emit IdentityUpdated(registration.identity, identity_);
        registration.identity = identity_;
    }

    function _setCountry(address wallet, Registration storage registration, uint16 country) private {
        if (registration.country == country) return;
        registration.country = country;
        emit CountryUpdated(wallet, country);
    }

    function _setVerified(address wallet, Registration storage registration, bool verified) private {
        if (registration.suspended == !verified) return;
        registration.suspended = !verified;
        emit VerificationUpdated(wallet, verified);
    }
}
