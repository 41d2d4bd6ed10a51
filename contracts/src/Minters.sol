// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControlUpgradeable} from "@openzeppelin/contracts-upgradeable/access/AccessControlUpgradeable.sol";

/// @notice What a collection is created with.
/// @param name The collection's name.
/// @param symbol The collection's ticker.
/// @param baseURI A token's metadata is at this address followed by its id.
/// @param contractURI Where the collection's own metadata is.
/// @param owner The administrator: grants roles, sets addresses of metadata.
/// @param minter The first minter.
struct CollectionParameters {
    string name;
    string symbol;
    string baseURI;
    string contractURI;
    address owner;
    address minter;
}

/// @title Who may mint into a collection, and where its metadata is
/// @notice Signatures and the value of the role are those of Immutable's presets, so that one binding serves both.
abstract contract Minters is AccessControlUpgradeable {
    /// @notice The role that may mint: the text itself, padded on the right, not its hash.
    bytes32 public constant MINTER_ROLE = "MINTER_ROLE";

    string private _baseURI_;

    /// @notice Where the collection's own metadata is.
    string public contractURI;

    /// @notice The collection's metadata moved.
    event MetadataMoved(string baseURI, string contractURI);

    /// @notice The arrays of a line have different lengths.
    error LengthMismatch(uint256 line);

    /// @notice The recipient of this line is the zero address.
    error RecipientZero(uint256 line);

    /// @notice The quantity of this line is zero.
    error QuantityZero(uint256 line);

    function __Minters_init(CollectionParameters calldata parameters) internal onlyInitializing {
        _grantRole(DEFAULT_ADMIN_ROLE, parameters.owner);
        _grantRole(MINTER_ROLE, parameters.minter);
        _setMetadata(parameters.baseURI, parameters.contractURI);
    }

    /// @notice Lets `account` mint. Only the administrator.
    function grantMinterRole(address account) external {
        grantRole(MINTER_ROLE, account);
    }

    /// @notice Stops `account` from minting. Only the administrator.
    function revokeMinterRole(address account) external {
        revokeRole(MINTER_ROLE, account);
    }

    /// @notice Moves the tokens' metadata. Only the administrator.
    function setBaseURI(string calldata newBaseURI) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMetadata(newBaseURI, contractURI);
    }

    /// @notice Moves the collection's own metadata. Only the administrator.
    function setContractURI(string calldata newContractURI) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMetadata(_baseURI_, newContractURI);
    }

    /// @notice A token's metadata is at this address followed by its id.
    function baseURI() public view returns (string memory) {
        return _baseURI_;
    }

    function _setMetadata(string memory newBaseURI, string memory newContractURI) private {
        _baseURI_ = newBaseURI;
        contractURI = newContractURI;
        emit MetadataMoved(newBaseURI, newContractURI);
    }

    function _requireRecipient(uint256 line, address recipient) internal pure {
        if (recipient == address(0)) revert RecipientZero(line);
    }
}
